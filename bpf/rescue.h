/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * rescue.h: no task waits for a worker longer than stall_ms. The watch finds waits that are overdue, wherever the
 * worker has them (its ring, its policy, a decision ring nobody empties), and has a CPU of the domain queue them:
 *   1. overdue_scan, in the timer: looks at the waits, counts what is overdue in each domain.
 *   2. rescue_begin: sets the domain's cursor to the start and rescue_due, and kicks one CPU.
 *   3. rescue, in dispatch() of whatever CPU comes: takes the next part of the table by moving the cursor, claims each
 *      overdue wait in it and queues its task in the kernel. A decision that comes later finds the wait gone: stale.
 * In a domain whose worker is stalled or gone every wait is overdue.
 */
#ifndef NODELAND_RESCUE_H
#define NODELAND_RESCUE_H

#include "common.h"
#include "compat.h"
#include "order.h"
#include "task.h"
#include "wait.h"

/* Slots looked at by one tick of the watch, and by one rescue in dispatch(), which holds a run queue's lock. */
#define SCAN_SLOTS 8192
#define RESCUE_SLOTS 1024

u32 scan_cursor; /* where the next tick goes on */

static __always_inline u32 slots_used_high(void)
{
	return slots_high < nr_slots ? slots_high : nr_slots;
}

static __always_inline bool wait_overdue(struct domain_state *ds, u64 wait, u64 t)
{
	return ds->state != NL_DOMAIN_ACTIVE || wait_age(wait, t) > stall_ns >> WAIT_TIME_SHIFT;
}

__noinline int overdue_scan(u64 t)
{
	u32 i, high = slots_used_high(), start = scan_cursor, n = high < SCAN_SLOTS ? high : SCAN_SLOTS;

	if (start >= high)
		start = 0;
	bpf_for(i, 0, n) {
		u32 slot = start + i < high ? start + i : start + i - high;
		u64 wait = READ_ONCE(*wait_of(slot));

		if (wait) {
			struct domain_state *ds = domain_state(wait_domain(wait));

			if (wait_overdue(ds, wait, t))
				ds->overdue++;
		}
	}
	scan_cursor = start + n < high ? start + n : 0;
	return 0;
}

/* One task, from dispatch(). */
__noinline int rescue_task(u32 slot, u64 wait, u32 d, u64 t)
{
	struct domain_state *ds = domain_state(d);
	struct task_struct *p;
	struct task *tc;
	u64 key;
	s32 cpu;

	use_arena();
	p = bpf_task_from_pid(slot_task(slot)->pid);
	if (!p)
		return 0;
	tc = task_of(p);
	if (tc && tc->slot == slot && wait_claim(slot, wait)) {
		slot_at(slot)->owner = NL_OWNER_KERNEL;
		key = undecided_key(ds, tc);
		cpu = scx_bpf_task_cpu(p);
		queue_domain(p, tc, d, key, default_slice_ns);
		if (READ_ONCE(tc->enq) != wait_enq(wait)) {
			scx_bpf_dispatch_cancel();
		} else {
			count(d, NL_CNT_RESCUED);
			if (!kick_idle(p, d, cpu) && tc->woken)
				kick_later(p, d, cpu, key, t);
		}
	}
	bpf_task_release(p);
	return 0;
}

/* rescue: the next part of the table for domain d. Called from dispatch() only. */
__noinline int rescue(u32 d)
{
	struct domain_state *ds = domain_state(d);
	u32 i, high = slots_used_high(), start;
	u64 t = now_ns();

	use_arena();
	start = __sync_fetch_and_add(&ds->rescue_cursor, RESCUE_SLOTS);
	bpf_for(i, 0, RESCUE_SLOTS) {
		u32 slot = start + i;
		u64 wait;

		if (slot >= high) {
			ds->rescue_due = 0;
			break;
		}
		wait = READ_ONCE(*wait_of(slot));
		if (!wait || wait_domain(wait) != d || !wait_overdue(ds, wait, t))
			continue;
		/* Moving from a queue hands what was inserted so far to the kernel; this one is always empty. */
		if (!scx_bpf_dispatch_nr_slots())
			dsq_move_to_local(DSQ_EMPTY);
		rescue_task(slot, wait, d, t);
	}
	return 0;
}

/* kick_one: has one CPU of the domain enter dispatch(): an idle one, else one that may be preempted, else any. */
static __always_inline void kick_one(struct domain_state *ds)
{
	u32 i, cpu = ds->first_cpu, busy = NL_NO_SLOT;

	bpf_for(i, 0, ds->nr_cpus) {
		struct nl_cpu __arena *c = cpu_state(cpu);

		if (cpu_online(cpu) && !cpu_blocked[cpu & (NL_MAX_CPUS - 1)]) {
			if (c->idle) {
				kick(cpu, KICK_IDLE);
				return;
			}
			if (c->preemptible || busy == NL_NO_SLOT)
				busy = cpu;
		}
		cpu = cpu_next[cpu & (NL_MAX_CPUS - 1)];
	}
	if (busy != NL_NO_SLOT)
		kick(busy, KICK_PREEMPT);
}

/* kick_cpus: every CPU of the domain that is online, as the flags (KICK_IDLE, KICK_PREEMPT) say. */
static __always_inline void kick_cpus(struct domain_state *ds, u64 flags)
{
	u32 i, cpu = ds->first_cpu;

	bpf_for(i, 0, ds->nr_cpus) {
		if (cpu_online(cpu))
			kick(cpu, flags);
		cpu = cpu_next[cpu & (NL_MAX_CPUS - 1)];
	}
}

/* rescue_begin: domain ds has overdue waits; CPUs of `by`, itself unless they are all offline, see to them. */
static __always_inline void rescue_begin(struct domain_state *ds, struct domain_state *by)
{
	bool again = ds->rescue_due;

	ds->overdue = 0;
	ds->rescue_cursor = 0;
	ds->rescue_due = 1;
	/* The one that was asked at the last tick did not come to the end: do not count on it. */
	if (again)
		kick_cpus(by, KICK_PREEMPT);
	else
		kick_one(by);
}

#endif
