/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * extend.h: slice extension. A task that says it is in a critical section keeps its CPU a little longer when it would
 * lose it, so that it does not hold a lock while it waits.
 *
 *   1. A thread sets the request byte of its rseq area (include/nodeland/critical.h): the kernel's own interface for
 * the same thing (struct rseq, slice_ctrl.request), there since 7.0 and often switched off. The area has been
 *      registered by the C library (glibc 2.35 and later) on every kernel, and only here is the byte looked at.
 *   2. dispatch() finds it set when something else would take the CPU: the task goes on for extension_ns, and a timer
 * of that CPU is set. Kicks meanwhile change nothing while the byte is set.
 *   3. The timer ends it. Then, or when the byte is clear, whatever waits takes the CPU.
 *   4. A worker that takes the CPU does not wait. The task then is the first to go on with its slice after it.
 *   5. Not again before the task has waited in a queue, or its slice ended with nobody waiting.
 * Should the timer fail, the extension ends as a slice of that length: at the tick after it.
 */
#ifndef NODELAND_EXTEND_H
#define NODELAND_EXTEND_H

#include "common.h"
#include "compat.h"
#include "order.h"
#include "task.h"

/* Where the two bytes of slice_ctrl are in the area (uapi/linux/rseq.h), and the least length that has them. */
#define RSEQ_REQUEST_OFF 28
#define RSEQ_SLICE_CTRL_END 32

#define TIMER_CPU_PIN 2 /* BPF_F_TIMER_CPU_PIN */

struct extension {
	struct bpf_timer timer;
};

/* One per CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NL_MAX_CPUS);
	__type(key, u32);
	__type(value, struct extension);
} extensions SEC(".maps");

/* An extension runs there, and its timer is set. Written by that CPU only. */
u8 cpu_extends[NL_MAX_CPUS];

/* Kernels to 6.18 have the pointer itself, later ones a struct. Which, the running kernel's BTF says. */
struct task_struct___rseq_pointer {
	void *rseq;
	u32 rseq_len;
} __attribute__((preserve_access_index));

struct rseq_data___own {
	void *usrptr;
	u32 len;
} __attribute__((preserve_access_index));

struct task_struct___rseq_data {
	struct rseq_data___own rseq;
} __attribute__((preserve_access_index));

/* requests_extension: whether the current task's request byte is set. A page that is not in memory counts as no. */
__noinline int requests_extension(void)
{
	struct task_struct *p = bpf_get_current_task_btf();
	struct task_struct___rseq_pointer *pointer = (void *)p;
	struct task_struct___rseq_data *data = (void *)p;
	u64 area = 0;
	u32 len = 0;
	u8 request = 0;

	if (bpf_core_field_exists(data->rseq.usrptr)) {
		area = (u64)data->rseq.usrptr;
		len = data->rseq.len;
	} else if (bpf_core_field_exists(pointer->rseq_len)) {
		area = (u64)pointer->rseq;
		len = pointer->rseq_len;
	}
	if (!area || len < RSEQ_SLICE_CTRL_END)
		return 0;
	return !bpf_probe_read_user(&request, sizeof(request), (void *)(area + RSEQ_REQUEST_OFF)) && request;
}

static int extension_ended(void *map, u32 *key, struct extension *e)
{
	u32 cpu = *key & (NL_MAX_CPUS - 1);

	if (cpu_extends[cpu]) {
		cpu_extends[cpu] = 0;
		kick(cpu, KICK_PREEMPT);
	}
	return 0;
}

__noinline int extension_begin(u32 cpu)
{
	struct extension *e = bpf_map_lookup_elem(&extensions, &cpu);

	if (e && !bpf_timer_start(&e->timer, extension_ns, TIMER_CPU_PIN))
		cpu_extends[cpu & (NL_MAX_CPUS - 1)] = 1;
	return 0;
}

/* may_ask: whether prev still wants its CPU, and might be in a critical section. */
static __always_inline bool may_ask(struct task_struct *prev, struct task *tc)
{
	return extension_ns && tc && !tc->worker && !tc->yielded && prev->scx.flags & 1 /* SCX_TASK_QUEUED */ &&
	       !(prev->flags & (PF_KTHREAD | PF_EXITING));
}

/* asks: whether it is. In dispatch() only, where prev is the current task. */
static __always_inline bool asks(struct task_struct *prev)
{
	return bpf_get_current_task_btf() == prev && requests_extension();
}

/*
 * extension_granted: whether prev, which lost its CPU, goes on with a slice of extension_ns because of its critical
 * section. `fresh`: decisions were applied that no queue shows yet.
 */
static __always_inline bool extension_granted(struct task_struct *prev, struct task *tc, u32 d, s32 cpu, bool fresh)
{
	if (!may_ask(prev, tc) || (tc->extended && !cpu_extends[(u32)cpu & (NL_MAX_CPUS - 1)]))
		return false;
	if (!fresh && !scx_bpf_dsq_nr_queued(DSQ_DOMAIN(d)) && !nr_waiting(cpu))
		return false;
	if (!asks(prev))
		return false;
	if (!tc->extended) {
		tc->extended = 1;
		extension_begin(cpu);
		count(d, NL_CNT_EXTENDED);
	}
	return true;
}

/* extension_owed: the worker takes prev's CPU at once. */
static __always_inline void extension_owed(struct task_struct *prev, struct task *tc)
{
	if (may_ask(prev, tc) && asks(prev))
		tc->goes_first = 1;
}

/* extension_stopped: the task of the extension leaves the CPU. */
static __always_inline void extension_stopped(struct task *tc, s32 cpu)
{
	if (tc->extended)
		cpu_extends[(u32)cpu & (NL_MAX_CPUS - 1)] = 0;
}

static __always_inline int extensions_init(void)
{
	u32 cpu;
	int err;

	if (!extension_ns)
		return 0;
	bpf_for(cpu, 0, nr_cpus) {
		u32 key = cpu;
		struct extension *e = bpf_map_lookup_elem(&extensions, &key);

		if (!e)
			break;
		err = bpf_timer_init(&e->timer, &extensions, 1 /* CLOCK_MONOTONIC */);
		if (!err)
			err = bpf_timer_set_callback(&e->timer, extension_ended);
		if (err)
			return err;
	}
	return 0;
}

#endif
