/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * task.h: what the kernel side knows of each task (private), and the slot it shares (public).
 *
 * struct task is the truth; the slot is its mirror, written when the worker is asked. A task without a slot (table
 * full, kernel thread, a thread of ours) is scheduled by the kernel side alone.
 */
#ifndef NODELAND_TASK_H
#define NODELAND_TASK_H

#include "common.h"
#include "compat.h"

#ifndef PF_KTHREAD
#define PF_KTHREAD 0x00200000
#endif
#ifndef PF_EXITING
#define PF_EXITING 0x00000004
#endif

struct task {
	u32 slot; /* NL_NO_SLOT: none */
	u32 generation;
	u32 enq; /* counts the slot's enqueues; never 0 */
	u32 domain;
	u32 worker; /* worker of domain worker - 1, or 0 */
	u32 queued_cpu; /* CPU + 1 whose own queue it was put in last and has not left, 0: none */
	u32 weight;
	u32 order_serial;
	u32 order_used;
	u32 wakes;
	u8 decided_once;
	u8 yielded;
	u8 sync_wake;
	u8 begins_turn; /* it has not run since it was given its slice */
	u8 goes_first; /* the worker took its CPU in a critical section */
	u8 extended; /* it had an extension since it last waited */
	u8 keeps_key;
	u8 runs_out;
	u8 let_in; /* a thread of ours: another task took its CPU in the middle of its turn */
	u8 ran_domain; /* domain + 1 in which it ran last, 0: it has not run */
	u8 home; /* domain + 1 on the node its memory policy names, 0: none */
	u8 paired; /* it and the task that woke it last wake each other */
	u32 waker; /* pid of that task, 0: an interrupt or nobody */
	u32 target_seen; /* nl_slot.target that was dealt with last */
	u64 allowed_domains; /* bit d: may run on a CPU of domain d */
	u64 vtime; /* in the domain's clock */
	u64 key; /* order it was last queued with */
	u64 exec_since_wake;
	u64 burst; /* what that was when it slept last */
	u64 exec_since_decision;
	u64 slice; /* last slice given */
	u64 grant; /* what it gets when that is over and nobody waits; 0: the default */
	u64 slice_used;
	u64 started;
	u64 stopped;
	u64 enqueued; /* 0: not waiting */
	u64 woken; /* 0: ran since */
	u64 slept; /* length of the last sleep */

	/* while recording (record_task.h) */
	u32 recorded; /* the recording that knows the task */
	u64 record_base; /* of its execution since it woke, what came before that knew it */
	u64 record_told; /* of it, what a record told last */
	u64 record_comm; /* stands for the name that was told last */
	u64 record_allowed; /* for the CPUs, 0: all */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task);
} tasks SEC(".maps");

/* Threads registered as workers: tid -> domain + 1. Looked at for threads of our own process only. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4 * NL_MAX_DOMAINS);
	__type(key, u32);
	__type(value, u32);
} workers SEC(".maps");

/*
 * Free slots: a stack of slot numbers, threaded through slot_next. The head carries a count in its high half, so
 * that a compare-and-swap fails when slots were taken and given back meanwhile.
 */
u32 slot_next[NL_MAX_SLOTS];
u64 slot_free; /* count << 32 | slot + 1 */

static __always_inline struct task *task_of(struct task_struct *p)
{
	return bpf_task_storage_get(&tasks, p, NULL, 0);
}

/* Names the task's next wait, or makes sure that nothing is meant for the last one any more. */
static __always_inline void next_enq(struct task *tc)
{
	u32 enq = tc->enq + 1;

	WRITE_ONCE(tc->enq, enq ?: 1);
}

static __always_inline u32 slot_alloc(void)
{
	u32 i, slot;

	bpf_for(i, 0, 64) {
		u64 head = READ_ONCE(slot_free), next;

		slot = (u32)head - 1;
		if (slot == NL_NO_SLOT || slot >= NL_MAX_SLOTS)
			break;
		next = (((head >> 32) + 1) << 32) | slot_next[slot & (NL_MAX_SLOTS - 1)];
		if (__sync_val_compare_and_swap(&slot_free, head, next) == head)
			return slot;
	}
	/* Slots never used before. */
	slot = __sync_fetch_and_add(&slots_high, 1);
	if (slot < nr_slots)
		return slot;
	__sync_fetch_and_add(&slots_high, -1);
	return NL_NO_SLOT;
}

static __always_inline void slot_release(u32 slot)
{
	u32 i;

	if (slot >= NL_MAX_SLOTS)
		return;
	bpf_for(i, 0, 1024) {
		u64 head = READ_ONCE(slot_free);

		slot_next[slot] = (u32)head;
		if (__sync_val_compare_and_swap(&slot_free, head, (((head >> 32) + 1) << 32) | (slot + 1)) == head)
			return;
	}
}

static __always_inline u64 domains_of_mask(const struct cpumask *mask, u32 allowed)
{
	u64 bits = 0;
	u32 cpu;

	if (allowed >= nr_cpus)
		return nr_domains >= 64 ? ~0ULL : (1ULL << nr_domains) - 1;
	bpf_for(cpu, 0, nr_cpus) {
		if (bpf_cpumask_test_cpu(cpu, mask))
			bits |= 1ULL << (domain_of_cpu(cpu) & 63);
	}
	return bits;
}

/* weighted: ns of running in virtual time. Most tasks have the default weight, and a division takes a while. */
static __always_inline u64 weighted(u64 ns, u32 weight)
{
	return weight == WEIGHT_DEFAULT ? ns : ns * WEIGHT_DEFAULT / (weight ?: WEIGHT_DEFAULT);
}

/* task_charge: t - started of running time, weighted into vtime. */
static __always_inline void task_charge(struct task *tc, u64 t)
{
	u64 ran = t - tc->started;

	if ((s64)ran < 0)
		ran = 0;
	tc->exec_since_wake += ran;
	tc->exec_since_decision += ran;
	tc->slice_used += ran;
	tc->vtime += weighted(ran, tc->weight);
	tc->started = t;
	tc->stopped = t;
}

/*
 * task_move: the domain whose clock the task's vtime is in becomes d. It keeps its lag, not its vtime: the clocks
 * of two domains are unrelated numbers.
 */
static __always_inline void task_move(struct task *tc, u32 d)
{
	u64 from, to;

	if (tc->domain == d)
		return;
	from = domain_of(domain_state(tc->domain))->clock_ns;
	to = domain_of(domain_state(d))->clock_ns;
	tc->vtime = to + (tc->vtime - from);
	tc->key = to + (tc->key - from);
	tc->domain = d;
}

static __always_inline u64 weighted_exec(const struct task *tc)
{
	return weighted(tc->exec_since_wake, tc->weight);
}

/* No lag, offset or execution that counts for a deadline is longer than this. */
#define LAG_MAX_NS (2 * NSEC_PER_SEC)

/*
 * task_bound_lead: one that wakes up owes a turn of its own at most, less what it has paid by not running while it
 * slept. It can owe more where the clock stands still: tasks that are bound to a CPU do not move it, and it would wait
 * for a turn of each of them.
 */
static __always_inline void task_bound_lead(struct task *tc, u64 clock, u64 slice)
{
	u64 owed = tc->vtime - clock, turn, paid;

	if ((s64)owed <= 0)
		return;
	turn = weighted(slice, tc->weight);
	paid = weighted(tc->slept, tc->weight);
	if (owed > turn)
		owed = turn;
	tc->vtime = clock + (owed > paid ? owed - paid : 0);
}

/* Bounds the lag: vtime within [clock - lag, clock + LAG_MAX_NS]. */
static __always_inline void task_bound_lag(struct task *tc, u64 clock, u64 lag)
{
	if (after(clock - lag, tc->vtime))
		tc->vtime = clock - lag;
	else if (after(tc->vtime, clock + LAG_MAX_NS))
		tc->vtime = clock + LAG_MAX_NS;
}

/* task_wakes: what changes when it wakes up, in a domain whose clock and slice these are. */
static __always_inline void task_wakes(struct task *tc, u64 clock, u64 slice, u64 t)
{
	tc->burst = tc->exec_since_wake;
	tc->exec_since_wake = 0;
	tc->extended = 0;
	tc->slice_used = tc->slice;
	tc->slept = tc->stopped ? t - tc->stopped : 0;
	tc->woken = t;
	tc->wakes++;
	task_bound_lag(tc, clock, slice);
	task_bound_lead(tc, clock, slice);
	tc->key = tc->vtime;
}

/* slot_write_comm: execve() and prctl() change it without telling. */
static __always_inline void slot_write_comm(struct task_struct *p, struct nl_slot __arena *s)
{
	u64 __arena *shown = (u64 __arena *)s->comm;
	u64 comm[2];

	bpf_probe_read_kernel(comm, sizeof(comm), p->comm);
	if (shown[0] == comm[0] && shown[1] == comm[1])
		return;
	shown[0] = comm[0];
	shown[1] = comm[1];
	s->identity++;
}

static __always_inline void slot_write_identity(struct task_struct *p, struct nl_slot __arena *s)
{

	s->pid = p->pid;
	s->tgid = p->tgid;
	s->weight = p->scx.weight ?: WEIGHT_DEFAULT;
	s->nice = p->static_prio - 120;
	s->uid = BPF_CORE_READ(p, cred, uid.val);
	s->cgroup_id = BPF_CORE_READ(p, cgroups, dfl_cgrp, kn, id);
	s->identity++;
	slot_write_comm(p, s);
}

/* Two of the kernel's memory policies (uapi/linux/mempolicy.h): those that prefer a node, or bind to it. */
#define MEMORY_PREFERRED 1
#define MEMORY_BIND 2
#define NO_NODE 0xffffffff

/*
 * slot_note_node: where the task's memory is to be, if its policy (set_mempolicy(2), which changes it without telling)
 * names one node and a domain is there. Nodes from 64 on are not looked at.
 */
__noinline int slot_note_node(struct task_struct *p __arg_trusted)
{
	struct task *tc = task_of(p);
	struct mempolicy *policy;
	u32 node = NO_NODE, i;
	u64 nodes = 0;
	u16 mode;

	use_arena();
	if (!tc || tc->slot == NL_NO_SLOT)
		return 0;
	policy = p->mempolicy;
	if (policy) {
		mode = BPF_CORE_READ(policy, mode);
		if (mode == MEMORY_PREFERRED || mode == MEMORY_BIND)
			nodes = BPF_CORE_READ(policy, nodes.bits[0]);
	}
	tc->home = 0;
	bpf_for(i, 0, nr_domains) {
		u32 at = domain_state(i)->node;

		if (at < 64 && nodes == 1ULL << at) {
			node = at;
			tc->home = i + 1;
			break;
		}
	}
	if (slot_at(tc->slot)->numa_node != node) {
		slot_at(tc->slot)->numa_node = node;
		slot_at(tc->slot)->identity++;
	}
	return 0;
}

static __always_inline void slot_write_node(struct task_struct *p, struct nl_slot __arena *s)
{
	if (p->mempolicy || s->numa_node != NO_NODE)
		slot_note_node(p);
}

#endif
