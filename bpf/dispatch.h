/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dispatch.h: what a CPU does when it looks for work: applies decisions, rescues tasks of a stalled worker, takes
 * the earliest task, and when nobody waits refills the slice of what ran or pulls from another domain.
 */
#ifndef NODELAND_DISPATCH_H
#define NODELAND_DISPATCH_H

#include "common.h"
#include "compat.h"
#include "order.h"
#include "rings.h"
#include "task.h"
#include "worker.h"

#define DRAIN_ROUNDS 8
#define RESCUE_SLOTS 512
#define PULL_DOMAINS 8

/*
 * decision_apply: one decision of domain d, checked against private state. Steps:
 *   1. The slot names a task by pid; the task's private state must name the same slot and generation.
 *   2. Claiming asked_enq by compare-and-swap makes this the only decision for that wait; a second or older one is
 *      stale. Were the task taken away and enqueued again from here on, that enqueue has another number.
 *   3. After the insertion the enqueue number is read again: if it moved, the insertion may have been for the new
 *      wait and is cancelled. The new wait has a decision of its own.
 */
static __always_inline void decision_apply(const struct nl_decision *dec, u32 d, struct domain_state *ds,
					   struct nl_domain __arena *dom, u64 t)
{
	struct nl_slot __arena *s;
	struct task_struct *p;
	struct task *tc;
	u64 key, slice;
	u32 cpu = dec->cpu;
	bool clamped;

	if (dec->slot >= nr_slots) {
		count(d, NL_CNT_DEAD_SLOT);
		return;
	}
	s = slot_at(dec->slot);
	if (s->owner == NL_OWNER_FREE || (u16)s->generation != dec->generation) {
		count(d, NL_CNT_DEAD_SLOT);
		return;
	}
	p = bpf_task_from_pid(s->pid);
	if (!p) {
		count(d, NL_CNT_GONE);
		return;
	}
	tc = task_of(p);
	if (!tc || tc->slot != dec->slot) {
		count(d, NL_CNT_DEAD_SLOT);
		goto out;
	}
	if (tc->domain != d || !dec->enq || __sync_val_compare_and_swap(&tc->asked_enq, dec->enq, 0) != dec->enq) {
		count(d, NL_CNT_STALE);
		goto out;
	}
	key = decision_key(dec, dom->clock_ns, &clamped);
	if (clamped)
		count(d, NL_CNT_KEY_CLAMPED);
	slice = decision_slice(dec, &clamped);
	if (clamped)
		count(d, NL_CNT_SLICE_CLAMPED);
	if (cpu != NL_CPU_ANY) {
		if (cpu >= nr_cpus || domain_of_cpu(cpu) != d || !cpu_state(cpu)->online) {
			count(d, NL_CNT_BAD_CPU);
			cpu = NL_CPU_ANY;
		} else if (!bpf_cpumask_test_cpu(cpu, p->cpus_ptr)) {
			count(d, NL_CNT_AFFINITY);
			cpu = NL_CPU_ANY;
		}
	}
	tc->decided_once = 1;
	tc->keeps_key = !!(dec->flags & NL_DECISION_KEEP_KEY);
	tc->exec_since_decision = 0;
	tc->wakes = 0;
	s->owner = NL_OWNER_DECIDED;
	if (cpu == NL_CPU_ANY)
		queue_domain(p, tc, d, key, slice);
	else
		queue_cpu(p, tc, cpu, key, slice);
	if (READ_ONCE(tc->enq) != dec->enq) {
		scx_bpf_dispatch_cancel();
		count(d, NL_CNT_STALE);
		goto out;
	}
	count(d, NL_CNT_DECIDED);
	hist_add(NL_HIST_ASK, t - tc->enqueued);
	if (cpu != NL_CPU_ANY)
		scx_bpf_kick_cpu(cpu, dec->flags & NL_DECISION_PREEMPT ? KICK_PREEMPT : KICK_IDLE);
	else if (!kick_idle(ds, p, scx_bpf_task_cpu(p)) && (dec->flags & NL_DECISION_PREEMPT))
		kick_later(ds, d, p, scx_bpf_task_cpu(p), key, t);
out:
	bpf_task_release(p);
}

static __noinline int drain_decisions(u32 d)
{
	struct domain_state *ds = domain_state(d);
	struct nl_domain __arena *dom = domain_of(ds);
	u64 t;
	u32 i;

	use_arena();
	if (decision_ring_empty(dom))
		return 0;
	t = now_ns();
	bpf_for(i, 0, DRAIN_ROUNDS) {
		struct nl_decision taken[DECISION_TAKE];
		u32 n, k;

		n = decision_ring_take(ds, dom, taken, scx_bpf_dispatch_nr_slots());
		bpf_for(k, 0, n)
			decision_apply(&taken[k & (DECISION_TAKE - 1)], d, ds, dom, t);
		if (decision_ring_empty(dom) || !scx_bpf_dispatch_nr_slots())
			break;
	}
	return 0;
}

/*
 * rescue: queues tasks that a worker holds and will not decide, a part of the slot table at each call. They are
 * found by their slot's owner and claimed like a decision, so a late decision finds them gone and is stale.
 */
static __noinline int rescue(u32 d)
{
	struct domain_state *ds = domain_state(d);
	u32 i, high = slots_high < nr_slots ? slots_high : nr_slots;

	use_arena();
	bpf_for(i, 0, RESCUE_SLOTS) {
		struct nl_slot __arena *s;
		struct task_struct *p;
		struct task *tc;
		u32 slot = ds->rescue_cursor, enq;

		if (!scx_bpf_dispatch_nr_slots())
			break;
		if (slot >= high) {
			ds->rescue_cursor = 0;
			break;
		}
		ds->rescue_cursor = slot + 1;
		s = slot_at(slot);
		if (s->owner != NL_OWNER_ASKED || s->domain != d)
			continue;
		p = bpf_task_from_pid(s->pid);
		if (!p)
			continue;
		tc = task_of(p);
		enq = tc ? READ_ONCE(tc->asked_enq) : 0;
		if (tc && enq && tc->slot == slot && tc->domain == d &&
		    __sync_val_compare_and_swap(&tc->asked_enq, enq, 0) == enq) {
			s->owner = NL_OWNER_KERNEL;
			queue_domain(p, tc, d, kernel_key(tc, EXEC_CAP_SLICES * default_slice_ns), default_slice_ns);
			if (READ_ONCE(tc->enq) != enq)
				scx_bpf_dispatch_cancel();
			else
				count(d, NL_CNT_RESCUED);
		}
		bpf_task_release(p);
	}
	return 0;
}

/* The order of the first task of a queue; ~0 when it is empty. */
static __noinline u64 first_key(u64 dsq)
{
	struct task_struct *p;
	u64 key = ~0ULL;

	bpf_for_each(scx_dsq, p, dsq, 0) {
		key = p->scx.dsq_vtime;
		break;
	}
	return key;
}

/* take_earliest: moves the earlier of this CPU's and its domain's first tasks here. */
static __always_inline bool take_earliest(u32 d, s32 cpu)
{
	u64 mine = DSQ_CPU(cpu), shared = DSQ_DOMAIN(d);

	if (scx_bpf_dsq_nr_queued(mine)) {
		u64 my_key = first_key(mine), shared_key = first_key(shared);

		if (shared_key == ~0ULL || (my_key != ~0ULL && !after(my_key, shared_key)))
			return dsq_move_to_local(mine) || dsq_move_to_local(shared);
		return dsq_move_to_local(shared) || dsq_move_to_local(mine);
	}
	return dsq_move_to_local(shared);
}

/* What was sent to a CPU that has gone offline since. */
static __always_inline bool take_stranded(struct domain_state *ds, s32 self)
{
	u32 i, cpu = self;

	if (!READ_ONCE(ds->nr_offline))
		return false;
	bpf_for(i, 0, ds->nr_cpus) {
		if (!cpu_state(cpu)->online && scx_bpf_dsq_nr_queued(DSQ_CPU(cpu)) && dsq_move_to_local(DSQ_CPU(cpu)))
			return true;
		cpu = cpu_next[cpu & (NL_MAX_CPUS - 1)];
	}
	return false;
}

/* pull: a CPU about to idle takes the first task of the nearest domain that has one for it. */
static __always_inline bool pull(u32 d, struct domain_state *ds)
{
	u32 i;

	bpf_for(i, 0, PULL_DOMAINS) {
		u32 other;

		if (i + 1 >= nr_domains)
			break;
		other = ds->near[i & (NL_MAX_DOMAINS - 1)];
		if (scx_bpf_dsq_nr_queued(DSQ_DOMAIN(other)) > 0 && dsq_move_to_local(DSQ_DOMAIN(other))) {
			count(d, NL_CNT_PULLED);
			return true;
		}
	}
	return false;
}

#endif
