/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * share.h: how tasks come from one domain to another in the kernel: where one that wakes or is new goes, what the
 * balancer wants moved, and what a CPU about to idle takes. docs/sharing.md has the rules and the reasons.
 */
#ifndef NODELAND_SHARE_H
#define NODELAND_SHARE_H

#include "common.h"
#include "compat.h"
#include "interrupt.h"
#include "order.h"
#include "task.h"

/* Domains an idle CPU looks at, nearest first. */
#define PULL_DOMAINS 8
/* A domain is far behind when so many tasks wait for each of its CPUs; then several are taken at once. */
#define FAR_BEHIND 2
#define PULL_BATCH 8
/* Tasks looked at for a batch: some may not run here. */
#define PULL_SCAN 32

/* With a CPU number: it idled, and is claimed for the task. */
#define PLACED_IDLE (1 << 16)

/* Tasks that wake each other and run for no longer than this stay together, and wait for each other's CPU. */
#define PAIR_BURST_NS NSEC_PER_MSEC

/*
 * cpu_in: a CPU of domain d that is online and that p may run on, this one rather than another; if wanted an idle one,
 * claimed, when there is one (PLACED_IDLE). -1 when there is none.
 */
__noinline int cpu_in(struct task_struct *p __arg_trusted, u32 d, u32 claim_idle)
{
	struct domain_state *ds = domain_state(d);
	u32 i, here = bpf_get_smp_processor_id(), cpu = domain_of_cpu(here) == d ? here : ds->first_cpu;
	s32 found = -1;

	use_arena();
	bpf_for(i, 0, ds->nr_cpus) {
		if (cpu_online(cpu) && bpf_cpumask_test_cpu(cpu, p->cpus_ptr)) {
			if (claim_idle && cpu_state(cpu)->idle && scx_bpf_test_and_clear_cpu_idle(cpu))
				return cpu | PLACED_IDLE;
			if (found < 0)
				found = cpu;
		}
		cpu = cpu_next[cpu & (NL_MAX_CPUS - 1)];
	}
	return found;
}

/* Whether the main thread has written a target since the last one was dealt with. */
static __always_inline bool target_is_new(struct task *tc)
{
	return tc->slot != NL_NO_SLOT && READ_ONCE(slot_at(tc->slot)->target) != tc->target_seen;
}

/*
 * target_domain: the domain the main thread wants p in, each value of the word once; d when it wants nothing, or what
 * cannot be. Any process memory may hold: a wrong domain is nowhere.
 */
static __always_inline u32 target_domain(struct task_struct *p, struct task *tc, u32 d)
{
	u32 target = READ_ONCE(slot_at(tc->slot)->target), to = (target & 0xff) - 1;

	tc->target_seen = target;
	if (to == d || to >= nr_domains || !(tc->allowed_domains & (1ULL << (to & 63))) || p->nr_cpus_allowed == 1 ||
	    migration_disabled(p))
		return d;
	return to;
}

/* target_take: for a task that is queued (not waking) in domain d. */
__noinline int target_take(struct task_struct *p __arg_trusted, u32 d)
{
	struct task *tc = task_of(p);
	u32 to;

	use_arena();
	if (!tc || tc->slot == NL_NO_SLOT)
		return d;
	to = target_domain(p, tc, d);
	if (to == d)
		return d;
	if (cpu_in(p, to, 0) < 0)
		return d;
	count(to, NL_CNT_MOVED);
	return to;
}

/*
 * is_pair: whether p and the task that wakes it now wake each other, each for a short while only. What one of them
 * wrote the other reads: together they find it in one cache, and a CPU of the waker's is free soon. How long is what
 * the other ran the last time, and so far.
 */
static __always_inline bool is_pair(struct task_struct *p, struct task *tc)
{
	struct task_struct *waker = bpf_get_current_task_btf();
	u32 before = tc->waker, pid = in_interrupt() ? 0 : waker->pid;
	struct task *other;

	tc->waker = pid;
	if (!pid || before != pid || tc->exec_since_wake > PAIR_BURST_NS || p->nr_cpus_allowed == 1 ||
	    migration_disabled(p))
		return false;
	other = task_of(waker);
	return other && other->waker == p->pid && other->burst <= PAIR_BURST_NS &&
	       other->exec_since_wake <= PAIR_BURST_NS;
}

/*
 * place_wakeup: where a waking or new task with a slot goes before the kernel's own search for an idle CPU. A CPU, with
 * PLACED_IDLE if it idled, or -1.
 *   1. The balancer wants it in a domain: there, idle CPU or not.
 *   2. Its memory policy names a node and it ran elsewhere: an idle CPU there.
 *   3. It and its waker are a pair: the waker's domain, idle CPU or not.
 */
__noinline int place_wakeup(struct task_struct *p __arg_trusted, struct task *tc, s32 prev_cpu)
{
	u32 self = bpf_get_smp_processor_id(), d = domain_of_cpu(prev_cpu), here = domain_of_cpu(self), to;
	s32 cpu;

	use_arena();
	if (!tc || tc->slot == NL_NO_SLOT)
		return -1;
	tc->paired = is_pair(p, tc);
	if (target_is_new(tc)) {
		to = target_domain(p, tc, d);
		cpu = to == d ? -1 : cpu_in(p, to, fast_path);
		if (cpu >= 0) {
			count(to, NL_CNT_MOVED);
			return cpu;
		}
	}
	if (tc->home && tc->home - 1 != d && fast_path && READ_ONCE(domain_of(domain_state(tc->home - 1))->nr_idle)) {
		cpu = cpu_in(p, tc->home - 1, 1);
		if (cpu >= 0 && (cpu & PLACED_IDLE))
			return cpu;
	}
	if (!tc->paired || tc->home)
		return -1;
	if ((!fast_path || !READ_ONCE(domain_of(domain_state(here))->nr_idle)) &&
	    bpf_cpumask_test_cpu(self, p->cpus_ptr) && cpu_online(self))
		return self;
	if (here == d && fast_path && bpf_cpumask_test_cpu(prev_cpu, p->cpus_ptr) &&
	    scx_bpf_test_and_clear_cpu_idle(prev_cpu))
		return prev_cpu | PLACED_IDLE;
	return cpu_in(p, here, fast_path);
}

/* count_move: a task begins to run on a CPU of domain d. */
static __always_inline void count_move(struct task *tc, struct nl_cpu __arena *c, u32 d)
{
	if (tc->ran_domain == d + 1)
		return;
	if (tc->ran_domain)
		c->moved_from[(tc->ran_domain - 1) & (NL_MAX_DOMAINS - 1)]++;
	tc->ran_domain = d + 1;
	slot_at(tc->slot)->domain = d;
}

/*
 * How long the first task of a domain's queue has waited; 0 when there is none, or one of a pair whose other half will
 * soon leave it its CPU; for ever when nobody noted it.
 */
static __noinline u64 first_waited(u32 d, u64 t)
{
	struct task_struct *p;
	u64 waited = 0;

	bpf_for_each(scx_dsq, p, DSQ_DOMAIN(d), 0) {
		struct task *tc = task_of(p);

		waited = !tc || !tc->enqueued ? ~0ULL : after(t, tc->enqueued) ? t - tc->enqueued : 1;
		if (tc && tc->paired && waited <= PAIR_BURST_NS)
			waited = 0;
		break;
	}
	return waited;
}

/*
 * pull_batch: moves up to n tasks that may run on this CPU from one domain's queue to another's. They keep their lag.
 * Nothing but the queue's entry changes here: a task that is taken from the queue meanwhile is another CPU's.
 */
__noinline int pull_batch(u32 from, u32 d, s32 cpu, u32 n)
{
	u64 shift = domain_of(domain_state(d))->clock_ns - domain_of(domain_state(from))->clock_ns;
	struct task_struct *p;
	u32 looked = unknown_zero, moved = unknown_zero;

	use_arena();
	bpf_for_each(scx_dsq, p, DSQ_DOMAIN(from), 0) {
		if (moved >= n || looked++ >= PULL_SCAN)
			break;
		if (!bpf_cpumask_test_cpu(cpu, p->cpus_ptr) || migration_disabled(p))
			continue;
		if (dsq_move_vtime(FOR_EACH_ITER, p, DSQ_DOMAIN(d), p->scx.dsq_vtime + shift)) {
			count(d, NL_CNT_PULLED);
			moved++;
		}
	}
	return moved;
}

/*
 * pull: a CPU about to idle takes the first task of the nearest domain where one has waited for longer than steal_us;
 * of a domain that is far behind, more, so that both have as many waiting for each CPU.
 */
__noinline int pull(u32 d, s32 cpu)
{
	struct domain_state *ds = domain_state(d);
	u64 t = now_ns();
	u32 i;

	use_arena();
	bpf_for(i, 0, PULL_DOMAINS) {
		struct domain_state *other;
		s32 waiting;
		u32 from, n;

		if (i + 1 >= nr_domains)
			break;
		from = ds->near[i & (NL_MAX_DOMAINS - 1)];
		waiting = scx_bpf_dsq_nr_queued(DSQ_DOMAIN(from));
		if (waiting <= 0 || first_waited(from, t) <= steal_ns)
			continue;
		if (!dsq_move_to_local(DSQ_DOMAIN(from)))
			continue;
		count(d, NL_CNT_PULLED);
		other = domain_state(from);
		if (waiting < FAR_BEHIND * other->nr_cpus)
			return true;
		n = waiting * ds->nr_cpus / (ds->nr_cpus + other->nr_cpus);
		pull_batch(from, d, cpu, n < PULL_BATCH ? n : PULL_BATCH);
		return true;
	}
	return false;
}

#endif
