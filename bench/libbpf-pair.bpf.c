// SPDX-License-Identifier: GPL-2.0-only
/*
 * libbpf-pair.bpf.c: the transport of schedulers that use libbpf's ring buffers: a BPF ring buffer out, a
 * user ring buffer back, nobody woken. The kernel half; libbpf-pair.c is the other.
 *
 * pair_push and pair_drain do nl_feed's and nl_drain's job: the same bookkeeping of who holds a task and
 * which wait it is, the same checks of a decision. What the worker is told about a task travels in the
 * record, all 88 bytes of it; nl_feed writes the same (and a little more) into the shared slot. A decision is
 * looked at in place, by bpf_dynptr_data, as scx_rustland does. pair_drain takes all decisions in one drain,
 * the cheapest way there is; pair_drain_singly takes one per drain, as scx_rustland and its descendants do:
 * their callback returns non-zero, which ends the drain, as long as there are dispatch slots. pair_drain_pid
 * also finds each task by its pid, which every scheduler must (nodeland's too; nl_drain does not).
 * pair_push_bare and pair_drain_bare only fill records and look at decisions.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#include "libbpf-pair.h"

char _license[] SEC("license") = "GPL";

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, PAIR_QUEUED_BYTES);
} queued SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_USER_RINGBUF);
  __uint(max_entries, PAIR_DISPATCHED_BYTES);
} dispatched SEC(".maps");

enum owner { OWNER_KERNEL, OWNER_ASKED };

/* What the kernel half knows of a task: a cache line. */
struct pair_slot {
  __u32 enq;
  __u32 owner;
  __u32 wakes;
  __u32 pid;
} __attribute__((aligned(64)));

struct pair_slot slots[PAIR_PLACES];

struct task_struct *bpf_task_from_pid(s32 pid) __ksym;
void bpf_task_release(struct task_struct *p) __ksym;

/* Gives slot `count` the pid `done`. */
SEC("syscall")
int pair_name(struct pair_args *args) {
  slots[args->count & (PAIR_PLACES - 1)].pid = args->done;
  return 0;
}

__u64 clock_ns = 1000000000000ULL;

/* One record, reserved and submitted by itself as an enqueue callback does. */
static __always_inline bool push(__u32 number, __u32 pid, __u64 enq, __u64 vtime_ns, __u64 exec_ns,
                                 __u64 now) {
  struct pair_task *task = bpf_ringbuf_reserve(&queued, sizeof(*task), 0);

  if (!task)
    return false;
  task->number = number;
  task->pid = (__s32)pid;
  task->cpu = (__s32)(number & 7);
  task->nr_cpus_allowed = 8;
  task->flags = 1;
  task->started_ns = now;
  task->stopped_ns = now;
  task->exec_runtime_ns = exec_ns;
  task->weight = 100;
  task->vtime_ns = vtime_ns;
  task->enq_count = enq;
  __builtin_memset(task->comm, 'a', sizeof(task->comm));
  bpf_ringbuf_submit(task, BPF_RB_NO_WAKEUP);
  return true;
}

SEC("syscall")
int pair_push(struct pair_args *args) {
  __u32 i, done = 0;
  __u64 start = bpf_ktime_get_ns();

  bpf_for(i, 0, args->count) {
    struct pair_slot *slot = &slots[i & (PAIR_PLACES - 1)];

    if (slot->owner == OWNER_ASKED)
      continue;
    slot->enq++;
    slot->owner = OWNER_ASKED;
    if (push(i, slot->pid, slot->enq, clock_ns + (i & 1023) * 1000, (i & 63) * 10000, start))
      done++;
    else
      slot->owner = OWNER_KERNEL;
  }
  args->elapsed_ns = bpf_ktime_get_ns() - start;
  args->done = done;
  return 0;
}

SEC("syscall")
int pair_push_bare(struct pair_args *args) {
  __u32 i, done = 0;
  __u64 start = bpf_ktime_get_ns();

  bpf_for(i, 0, args->count) {
    if (!push(i, i, i, start + (i & 1023) * 1000, (i & 63) * 10000, start))
      break;
    done++;
  }
  args->elapsed_ns = bpf_ktime_get_ns() - start;
  args->done = done;
  return 0;
}

struct drained {
  __u64 sink;
  __u32 valid;
  __u32 clamped;
};

static __always_inline __u64 clamp_slice(struct drained *drained, __u64 slice_ns) {
  if (slice_ns >= 100000 && slice_ns <= 100000000)
    return slice_ns;
  drained->clamped++;
  return slice_ns < 100000 ? 100000 : 100000000;
}

static __always_inline __u64 clamp_key(struct drained *drained, __u64 key_ns) {
  if (key_ns + 10000000000ULL >= clock_ns && key_ns <= clock_ns + 10000000000ULL)
    return key_ns;
  drained->clamped++;
  return clock_ns;
}

static __always_inline void check(struct bpf_dynptr *sample, struct drained *drained, bool by_pid) {
  const struct pair_decision *decision = bpf_dynptr_data(sample, 0, sizeof(*decision));
  struct pair_slot *slot;

  if (!decision || decision->number >= PAIR_PLACES)
    return;
  if (by_pid) {
    struct task_struct *task = bpf_task_from_pid(decision->pid);

    if (!task)
      return;
    bpf_task_release(task);
  }
  slot = &slots[decision->number & (PAIR_PLACES - 1)];
  if (slot->owner != OWNER_ASKED || slot->enq != decision->enq_count)
    return;
  if ((__u32)decision->cpu >= 8)
    return;
  drained->sink += clamp_slice(drained, decision->slice_ns);
  drained->sink += clamp_key(drained, decision->vtime_ns);
  if (__sync_val_compare_and_swap(&slot->owner, OWNER_ASKED, OWNER_KERNEL) != OWNER_ASKED)
    return;
  slot->wakes++;
  drained->valid++;
}

static long take(struct bpf_dynptr *sample, void *context) {
  check(sample, context, false);
  return 0;
}

/* Anything but 0 ends the drain. */
static long take_one(struct bpf_dynptr *sample, void *context) {
  check(sample, context, false);
  return 1;
}

static long take_by_pid(struct bpf_dynptr *sample, void *context) {
  check(sample, context, true);
  return 0;
}

static long take_bare(struct bpf_dynptr *sample, void *context) {
  struct drained *drained = context;
  const struct pair_decision *decision = bpf_dynptr_data(sample, 0, sizeof(*decision));

  if (!decision)
    return 0;
  drained->sink += decision->vtime_ns + decision->slice_ns + decision->enq_count + decision->flags +
                   (__u64)decision->pid + (__u64)decision->cpu;
  drained->valid++;
  return 0;
}

__u64 drain_sink;

SEC("syscall")
int pair_drain(struct pair_args *args) {
  struct drained drained = {};
  __u64 start = bpf_ktime_get_ns();

  bpf_user_ringbuf_drain(&dispatched, take, &drained, BPF_RB_NO_WAKEUP);
  args->elapsed_ns = bpf_ktime_get_ns() - start;
  args->done = drained.valid;
  drain_sink = drained.sink;
  return 0;
}

SEC("syscall")
int pair_drain_singly(struct pair_args *args) {
  struct drained drained = {};
  __u32 i;
  __u64 start = bpf_ktime_get_ns();

  bpf_for(i, 0, args->count) {
    if (bpf_user_ringbuf_drain(&dispatched, take_one, &drained, BPF_RB_NO_WAKEUP) <= 0)
      break;
  }
  args->elapsed_ns = bpf_ktime_get_ns() - start;
  args->done = drained.valid;
  drain_sink = drained.sink;
  return 0;
}

SEC("syscall")
int pair_drain_bare(struct pair_args *args) {
  struct drained drained = {};
  __u64 start = bpf_ktime_get_ns();

  bpf_user_ringbuf_drain(&dispatched, take_bare, &drained, BPF_RB_NO_WAKEUP);
  args->elapsed_ns = bpf_ktime_get_ns() - start;
  args->done = drained.valid;
  drain_sink = drained.sink;
  return 0;
}

SEC("syscall")
int pair_drain_pid(struct pair_args *args) {
  struct drained drained = {};
  __u64 start = bpf_ktime_get_ns();

  bpf_user_ringbuf_drain(&dispatched, take_by_pid, &drained, BPF_RB_NO_WAKEUP);
  args->elapsed_ns = bpf_ktime_get_ns() - start;
  args->done = drained.valid;
  drain_sink = drained.sink;
  return 0;
}
