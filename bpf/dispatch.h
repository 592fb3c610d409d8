/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dispatch.h: what a CPU does when it looks for work: applies decisions, takes the earliest task, sees to domains and
 * CPUs that are gone.
 */
#ifndef NODELAND_DISPATCH_H
#define NODELAND_DISPATCH_H

#include "common.h"
#include "compat.h"
#include "order.h"
#include "rescue.h"
#include "rings.h"
#include "task.h"
#include "wait.h"
#include "worker.h"

#define DRAIN_ROUNDS 8

/* What a worker asks beside decisions about tasks. */
static __always_inline void apply_request(const struct nl_decision *dec, u32 d, u64 t)
{
	u32 cpu = dec->cpu, other = dec->slot;

	if (dec->flags & NL_DECISION_WAKE_WORKER) {
		if (other < nr_domains)
			worker_wake(other, domain_state(other), domain_of(domain_state(other)), t);
		else
			count(d, NL_CNT_DEAD_SLOT);
	} else if (cpu >= nr_cpus || domain_of_cpu(cpu) != d || !cpu_online(cpu)) {
		count(d, NL_CNT_BAD_CPU);
	} else {
		cpu_evicts[cpu & (NL_MAX_CPUS - 1)] = !!(dec->flags & NL_DECISION_PREEMPT);
		kick(cpu, dec->flags & NL_DECISION_PREEMPT ? KICK_PREEMPT : KICK_IDLE);
	}
}

/*
 * decision_apply: one decision of domain d, checked against private state. Steps:
 *   1. The slot must be of that generation, and its wait the one the decision names. Its domain may be another one,
 * whose worker handed the task over; then the task must be able to run here.
 *   2. Claiming the wait makes this the only decision for it; a second or older one is stale. Were the task taken away
 *      and enqueued again from here on, that enqueue has another number.
 *   3. After the insertion the enqueue number is read again: if it moved, the insertion may have been for the new
 *      wait and is cancelled. The new wait has a decision of its own.
 * Not static, like the other larger functions here: the verifier then looks at each once, not once in every state of
 * its caller's loop, which on 6.18 comes to no end.
 */
__noinline int decision_apply(const struct nl_decision *dec, u32 d, u64 t)
{
	struct domain_state *ds = domain_state(d);
	struct nl_domain __arena *dom = domain_of(ds);
	struct slot_task *owner;
	struct task_struct *p;
	struct task *tc;
	u64 key, slice, wait;
	bool clamped;
	s32 start;
	u32 cpu;

	use_arena();
	if (!dec)
		return 0;
	if (dec->flags & (NL_DECISION_KICK | NL_DECISION_WAKE_WORKER)) {
		apply_request(dec, d, t);
		return 0;
	}
	cpu = dec->cpu;
	owner = slot_task(dec->slot);
	if (dec->slot >= nr_slots || !owner->pid || (u16)owner->generation != dec->generation) {
		count(d, NL_CNT_DEAD_SLOT);
		return 0;
	}
	wait = READ_ONCE(*wait_of(dec->slot));
	if (!wait || wait_enq(wait) != dec->enq) {
		count(d, NL_CNT_STALE);
		return 0;
	}
	p = bpf_task_from_pid(owner->pid);
	if (!p) {
		count(d, NL_CNT_GONE);
		return 0;
	}
	tc = task_of(p);
	if (!tc || tc->slot != dec->slot) {
		count(d, NL_CNT_GONE);
		goto out;
	}
	if (!wait_claim(dec->slot, wait)) {
		count(d, NL_CNT_STALE);
		goto out;
	}
	if (wait_domain(wait) != d) {
		if (tc->allowed_domains & (1ULL << (d & 63))) {
			count(d, NL_CNT_HANDED);
			task_move(tc, d);
			slot_at(dec->slot)->domain = d;
		} else {
			count(d, NL_CNT_FOREIGN);
			d = wait_domain(wait);
			ds = domain_state(d);
			dom = domain_of(ds);
		}
	}
	start = scx_bpf_task_cpu(p);
	key = decision_key(dec, dom->clock_ns, &clamped);
	if (clamped)
		count(d, NL_CNT_KEY_CLAMPED);
	slice = decision_slice(dec, &clamped);
	if (clamped)
		count(d, NL_CNT_SLICE_CLAMPED);
	if (cpu != NL_CPU_ANY) {
		if (cpu >= nr_cpus || domain_of_cpu(cpu) != d || !cpu_online(cpu)) {
			count(d, NL_CNT_BAD_CPU);
			cpu = NL_CPU_ANY;
		} else if (!bpf_cpumask_test_cpu(cpu, p->cpus_ptr)) {
			count(d, NL_CNT_AFFINITY);
			cpu = NL_CPU_ANY;
		} else if (dec->flags & NL_DECISION_NEAR) {
			start = cpu;
			cpu = NL_CPU_ANY;
		}
	}
	if (domain_of_cpu(start) != d)
		start = ds->first_cpu;
	tc->decided_once = 1;
	tc->keeps_key = !!(dec->flags & NL_DECISION_KEEP_KEY);
	if (ds->keeps_keys != tc->keeps_key)
		ds->keeps_keys = tc->keeps_key;
	tc->runs_out = !!(dec->flags & NL_DECISION_RUN_OUT);
	tc->grant = slice;
	tc->exec_since_decision = 0;
	tc->wakes = 0;
	slot_at(dec->slot)->owner = NL_OWNER_DECIDED;
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
		kick(cpu, dec->flags & NL_DECISION_PREEMPT ? KICK_PREEMPT : KICK_IDLE);
	else if (!kick_idle(p, d, start) && (dec->flags & NL_DECISION_PREEMPT))
		kick_later(p, d, start, key, t);
out:
	bpf_task_release(p);
	return 0;
}

/* Whether there were any. */
__noinline int drain_decisions(u32 d)
{
	struct domain_state *ds = domain_state(d);
	struct nl_domain __arena *dom = domain_of(ds);
	u64 t;
	u32 i;

	use_arena();
	if (decision_ring_empty(ds, dom))
		return 0;
	t = now_ns();
	bpf_for(i, 0, DRAIN_ROUNDS) {
		struct nl_decision taken[DECISION_TAKE];
		u32 n, k;

		n = decision_ring_take(ds, dom, taken, scx_bpf_dispatch_nr_slots());
		bpf_for(k, 0, n)
			decision_apply(&taken[k & (DECISION_TAKE - 1)], d, t);
		if (decision_ring_empty(ds, dom) || !scx_bpf_dispatch_nr_slots())
			break;
	}
	return 1;
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

/* The same, if that task waits since it woke up; else ~0. */
static __noinline u64 first_woken_key(u64 dsq)
{
	struct task_struct *p;
	u64 key = ~0ULL;

	bpf_for_each(scx_dsq, p, dsq, 0) {
		struct task *tc = task_of(p);

		if (tc && tc->woken)
			key = p->scx.dsq_vtime;
		break;
	}
	return key;
}

/* Whether what waits in a queue is later, or nothing waits. */
static __always_inline bool all_later(u64 dsq, u64 key)
{
	u64 first = first_key(dsq);

	return first == ~0ULL || after(first, key);
}

/* take_earliest: moves the earlier of this CPU's and its domain's first tasks here. */
static __always_inline bool take_earliest(u32 d, s32 cpu)
{
	u64 mine = DSQ_CPU(cpu), shared = DSQ_DOMAIN(d);

	if (nr_waiting(cpu)) {
		u64 my_key = first_key(mine), shared_key = first_key(shared);

		if (shared_key == ~0ULL || (my_key != ~0ULL && !after(my_key, shared_key)))
			return dsq_move_to_local(mine) || dsq_move_to_local(shared);
		return dsq_move_to_local(shared) || dsq_move_to_local(mine);
	}
	return dsq_move_to_local(shared);
}

/*
 * inherit: domains all of whose CPUs are offline have no CPU that empties their rings and queues; any CPU does it,
 * before its own. Nothing new comes to them.
 */
__noinline int inherit(void)
{
	u32 d;

	use_arena();
	bpf_for(d, 0, nr_domains) {
		struct domain_state *ds = domain_state(d);

		if (ds->nr_offline < ds->nr_cpus)
			continue;
		drain_decisions(d);
		if (READ_ONCE(ds->rescue_due))
			rescue(d);
		if (dsq_move_to_local(DSQ_DOMAIN(d)))
			return true;
	}
	return false;
}

/* A worker that had to leave its domain's CPUs waits on one that does not know it. */
__noinline int take_displaced_worker(s32 cpu)
{
	u32 d;

	use_arena();
	bpf_for(d, 0, nr_domains) {
		struct domain_state *ds = domain_state(d);

		if (ds->worker_displaced && ds->worker_cpu == cpu && worker_has_work(ds, domain_of(ds)) &&
		    dsq_move_to_local(DSQ_WORKER(d))) {
			ds->worker_due = 0;
			domain_of(ds)->wake_request = 0;
			return true;
		}
	}
	return false;
}

#endif
