/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * record_task.h: what each task does, for `nodeland record`: called by the callbacks while `recording` is set.
 *
 * A record tells what a task does, not what a policy does to it: that it woke and by whom, how long it then computed
 * until it slept. A waker's point in its own execution is recorded with the wake-up, so that a replay can wake at the
 * same point. Threads of our own are not recorded. Times between CPUs are compared: hence bpf_ktime_get_ns().
 */
#ifndef NODELAND_RECORD_TASK_H
#define NODELAND_RECORD_TASK_H

#include "compat.h"
#include "interrupt.h"
#include "record.h"
#include "task.h"

/* A task that goes on is recorded this often: what a recording's end cuts off is less. */
#define RECORD_STEP_NS (4 * NSEC_PER_MSEC)
#define STATE_DEAD 0x80 /* the kernel's TASK_DEAD */

static __always_inline void record_begin(struct nl_record *record, struct task_struct *p, u32 kind)
{
	record->at_ns = bpf_ktime_get_ns() - epoch_ns;
	record->pid = p->pid;
	record->cpu = scx_bpf_task_cpu(p);
	record->kind = kind;
}

/* Its execution since it woke, as far as this recording saw it. It runs now, or has just been charged. */
static __always_inline u64 record_ran_ns(struct task *tc)
{
	u64 since = now_ns() - tc->started;

	return tc->exec_since_wake + ((s64)since > 0 ? since : 0) - tc->record_base;
}

static __always_inline void record_comm(struct task_struct *p, struct task *tc)
{
	struct nl_record record = {};
	u64 comm[2];

	bpf_probe_read_kernel(comm, sizeof(comm), p->comm);
	if (tc->record_comm == comm[0] + 31 * comm[1])
		return;
	tc->record_comm = comm[0] + 31 * comm[1];
	record_begin(&record, p, NL_RECORD_COMM);
	__builtin_memcpy(&record.other, comm, sizeof(comm));
	record_put(&record);
}

static __always_inline u64 allowed_bits(struct task_struct *p, u32 part)
{
	u64 bits = 0;
	u32 i;

	bpf_for(i, 0, 64) {
		if (64 * part + i < nr_cpus &&
		    bpf_cpumask_test_cpu(64 * part + i, (const struct cpumask *)&p->cpus_mask))
			bits |= 1ULL << (i & 63);
	}
	return bits;
}

/* The mask also "changes" whenever a task with migration disabled leaves its CPU. */
__noinline int record_allowed(struct task_struct *p __arg_trusted)
{
	struct task *tc = task_of(p);
	struct nl_record record = {};
	u32 parts = (nr_cpus + 63) / 64, part;
	u64 mark = 0;

	if (!tc || tc->recorded != recording.serial)
		return 0;
	if (p->nr_cpus_allowed < nr_cpus) {
		bpf_for(part, 0, parts)
			mark = 31 * mark + allowed_bits(p, part);
	}
	if (mark == tc->record_allowed)
		return 0;
	tc->record_allowed = mark;
	record_begin(&record, p, NL_RECORD_ALLOWED);
	record.other = 1;
	record.detail = NL_DETAIL_EVERY_CPU;
	if (!mark) {
		record_put(&record);
		return 0;
	}
	record.other = parts;
	bpf_for(part, 0, parts) {
		record.detail = part;
		record.ran_ns = allowed_bits(p, part);
		record_put(&record);
	}
	return 0;
}

/* record_task: introduces a task; `other` had run for `ran_ns` when it made it (NL_RECORD_FORK). */
__noinline int record_task(struct task_struct *p __arg_trusted, u32 kind, u32 other, u64 ran_ns, bool runnable)
{
	struct task *tc = task_of(p);
	struct nl_record record = {};

	if (!tc)
		return 0;
	tc->recorded = recording.serial;
	tc->record_base = 0;
	if (kind == NL_RECORD_TASK && runnable)
		tc->record_base = record_ran_ns(tc);
	tc->record_told = 0;
	tc->record_comm = 0;
	tc->record_allowed = 0;
	record_begin(&record, p, kind);
	record.weight = tc->weight;
	record.other = other;
	record.ran_ns = ran_ns;
	record.detail = (p->flags & PF_KTHREAD ? NL_DETAIL_KTHREAD : 0) | (runnable ? NL_DETAIL_RUNNABLE : 0);
	record_put(&record);
	record_comm(p, tc);
	record_allowed(p);
	return 0;
}

/*
 * record_caused: a wake-up, or with NL_RECORD_FORK a birth, of p. It is the current task's doing unless an interrupt
 * came, or the current task is not one of ours.
 */
__noinline int record_caused(struct task_struct *p __arg_trusted, u32 kind)
{
	struct task_struct *by = bpf_get_current_task_btf();
	struct task *tc = task_of(p), *by_tc = task_of(by);
	struct nl_record record = {};
	u32 other = 0;
	u64 ran_ns = 0;

	if (!tc || p->tgid == own_tgid)
		return 0;
	if (by_tc && by->tgid != own_tgid && cpu_local(bpf_get_smp_processor_id())->is_ours && !in_interrupt()) {
		if (by_tc->recorded != recording.serial)
			record_task(by, NL_RECORD_TASK, 0, 0, true);
		other = by->pid;
		ran_ns = record_ran_ns(by_tc);
	}
	if (kind == NL_RECORD_FORK)
		return record_task(p, kind, other, ran_ns, true);
	if (tc->recorded != recording.serial)
		record_task(p, NL_RECORD_TASK, 0, 0, false);
	tc->record_base = 0;
	tc->record_told = 0;
	record_begin(&record, p, kind);
	record.other = other;
	record.weight = tc->weight;
	record.ran_ns = ran_ns;
	record_put(&record);
	return 0;
}

/*
 * record_ran: p has run. NL_RECORD_SLEEP and NL_RECORD_EXIT end what it computed since it woke; NL_RECORD_RAN is left
 * out when there is little to tell; NL_RECORD_NONE only has the task known.
 */
__noinline int record_ran(struct task_struct *p __arg_trusted, u32 kind)
{
	struct task *tc = task_of(p);
	struct nl_record record = {};
	u64 ran_ns;

	if (!tc || p->tgid == own_tgid)
		return 0;
	if (tc->recorded != recording.serial)
		record_task(p, NL_RECORD_TASK, 0, 0, true);
	if (kind == NL_RECORD_NONE)
		return 0;
	ran_ns = record_ran_ns(tc);
	if (kind == NL_RECORD_RAN && ran_ns - tc->record_told < RECORD_STEP_NS)
		return 0;
	tc->record_told = ran_ns;
	record_comm(p, tc);
	record_begin(&record, p, kind);
	record.weight = tc->weight;
	record.ran_ns = ran_ns;
	record_put(&record);
	return 0;
}

static __always_inline u32 record_kind_of_sleep(struct task_struct *p)
{
	return p->__state & STATE_DEAD ? NL_RECORD_EXIT : NL_RECORD_SLEEP;
}

/* record_weight: a task that was not seen yet tells its weight when it is. */
__noinline int record_weight(struct task_struct *p __arg_trusted)
{
	struct task *tc = task_of(p);
	struct nl_record record = {};

	if (!tc || tc->recorded != recording.serial)
		return 0;
	record_begin(&record, p, NL_RECORD_WEIGHT);
	record.weight = tc->weight;
	record_put(&record);
	return 0;
}

#endif
