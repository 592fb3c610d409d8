/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * compat.h: one object for kernels 6.12 to 7.3. Functions that were renamed or came later are weak symbols, and
 * enum values are read from the running kernel's BTF at load.
 */
#ifndef NODELAND_COMPAT_H
#define NODELAND_COMPAT_H

#include "common.h"

/* Names of 6.12, replaced in 6.13. */
extern void scx_bpf_dispatch(struct task_struct *p, u64 dsq_id, u64 slice, u64 enq_flags) __ksym __weak;
extern void scx_bpf_dispatch_vtime(struct task_struct *p, u64 dsq_id, u64 slice, u64 vtime,
				   u64 enq_flags) __ksym __weak;
extern bool scx_bpf_consume(u64 dsq_id) __ksym __weak;

#define ENUM(type, value) bpf_core_enum_value(enum type, value)

#define DSQ_LOCAL ENUM(scx_dsq_id_flags, SCX_DSQ_LOCAL)
#define ENQ_WAKEUP ENUM(scx_enq_flags, SCX_ENQ_WAKEUP)
#define ENQ_PREEMPT ENUM(scx_enq_flags, SCX_ENQ_PREEMPT)
#define ENQ_LAST ENUM(scx_enq_flags, SCX_ENQ_LAST)
#define WAKE_TTWU ENUM(scx_wake_flags, SCX_WAKE_TTWU)
#define WAKE_SYNC ENUM(scx_wake_flags, SCX_WAKE_SYNC)
#define DSQ_LOCAL_ON(cpu) (ENUM(scx_dsq_id_flags, SCX_DSQ_LOCAL_ON) | (cpu))
#define KICK_IDLE ENUM(scx_kick_flags, SCX_KICK_IDLE)
#define KICK_PREEMPT ENUM(scx_kick_flags, SCX_KICK_PREEMPT)

static __always_inline void dsq_insert(struct task_struct *p, u64 dsq_id, u64 slice_ns, u64 enq_flags)
{
	if (bpf_ksym_exists(scx_bpf_dsq_insert))
		scx_bpf_dsq_insert(p, dsq_id, slice_ns, enq_flags);
	else
		scx_bpf_dispatch(p, dsq_id, slice_ns, enq_flags);
}

static __always_inline void dsq_insert_vtime(struct task_struct *p, u64 dsq_id, u64 slice_ns, u64 vtime)
{
	if (bpf_ksym_exists(__scx_bpf_dsq_insert_vtime)) {
		struct scx_bpf_dsq_insert_vtime_args args = {
			.dsq_id = dsq_id,
			.slice = slice_ns,
			.vtime = vtime,
		};

		__scx_bpf_dsq_insert_vtime(p, &args);
	} else if (bpf_ksym_exists(scx_bpf_dsq_insert_vtime)) {
		scx_bpf_dsq_insert_vtime(p, dsq_id, slice_ns, vtime, 0);
	} else {
		scx_bpf_dispatch_vtime(p, dsq_id, slice_ns, vtime, 0);
	}
}

static __always_inline bool dsq_move_to_local(u64 dsq_id)
{
	if (bpf_ksym_exists(scx_bpf_dsq_move_to_local))
		return scx_bpf_dsq_move_to_local(dsq_id);
	return scx_bpf_consume(dsq_id);
}

/* For tasks met in bpf_for_each(scx_dsq): from that queue to another one, under a new key. False when it was gone. */
extern void scx_bpf_dispatch_from_dsq_set_vtime(struct bpf_iter_scx_dsq *it, u64 vtime) __ksym __weak;
extern bool scx_bpf_dispatch_vtime_from_dsq(struct bpf_iter_scx_dsq *it, struct task_struct *p, u64 dsq_id,
					    u64 enq_flags) __ksym __weak;

/* Inside bpf_for_each: its iterator, which the macro of libbpf's header names. */
#define FOR_EACH_ITER (&___it)

static __always_inline bool dsq_move_vtime(struct bpf_iter_scx_dsq *it, struct task_struct *p, u64 dsq_id, u64 vtime)
{
	if (bpf_ksym_exists(scx_bpf_dsq_move_vtime)) {
		scx_bpf_dsq_move_set_vtime(it, vtime);
		return scx_bpf_dsq_move_vtime(it, p, dsq_id, 0);
	}
	scx_bpf_dispatch_from_dsq_set_vtime(it, vtime);
	return scx_bpf_dispatch_vtime_from_dsq(it, p, dsq_id, 0);
}

/* From 7.1 on; enqueues what waits in a queue again. */
static __always_inline void dsq_reenqueue(u64 dsq_id)
{
	if (bpf_ksym_exists(scx_bpf_dsq_reenq))
		scx_bpf_dsq_reenq(dsq_id, 0);
}

/* Kicks that CPUs owe one another: 1 + their flags, for the watch to see to (watch.h). */
u8 cpu_kick_owed[NL_MAX_CPUS];

/*
 * kick: scx_bpf_kick_cpu(), which an interrupt carries out that this CPU sends itself. A CPU that goes offline still
 * wakes tasks up when its interrupt controller is off: that interrupt would never come, nor would any later one of its
 * kind on this CPU, once it is back, and the end of the scheduler would wait for it for ever. It owes the kick instead.
 */
static __always_inline void kick(s32 cpu, u64 flags)
{
	u32 self = bpf_get_smp_processor_id();

	if (!cpu_online(self)) {
		const struct cpumask *online = scx_bpf_get_online_cpumask();
		bool is_deaf = !bpf_cpumask_test_cpu(self, online);

		scx_bpf_put_cpumask(online);
		if (is_deaf) {
			cpu_kick_owed[(u32)cpu & (NL_MAX_CPUS - 1)] = 1 + flags;
			return;
		}
	}
	scx_bpf_kick_cpu(cpu, flags);
}

static __always_inline void set_slice(struct task_struct *p, u64 slice_ns)
{
	if (bpf_ksym_exists(scx_bpf_task_set_slice))
		scx_bpf_task_set_slice(p, slice_ns);
	else
		p->scx.slice = slice_ns;
}

/* Nanoseconds of the scheduler's clock since set-up began to count in init(). */
u64 scx_epoch_ns;

static __always_inline u64 now_ns(void)
{
	u64 t = bpf_ksym_exists(scx_bpf_now) ? scx_bpf_now() : bpf_ktime_get_ns();

	return t - scx_epoch_ns;
}

/*
 * Whether p may not leave its CPU. Where the BPF trampoline itself disables migration the current task shows one level
 * more than it has, and in what cpu_release() enqueues again, two; counting that level too little only sends the task
 * to user space, and the queues never hand a task to a CPU it may not run on.
 */
static __always_inline bool migration_disabled(const struct task_struct *p)
{
	if (!p->migration_disabled || bpf_get_current_task_btf() != p)
		return p->migration_disabled;
	return p->migration_disabled > 1 + cpu_releases[bpf_get_smp_processor_id() & (NL_MAX_CPUS - 1)];
}

#endif
