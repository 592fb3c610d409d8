/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * events.h: what a domain's worker is told beside asks, if its policy wants to know (nl_domain.events). An event is an
 * entry of the task ring, in order with the asks. Nothing depends on it: with a full ring it is lost, and counted.
 */
#ifndef NODELAND_EVENTS_H
#define NODELAND_EVENTS_H

#include "common.h"
#include "rings.h"
#include "task.h"
#include "worker.h"

static __always_inline bool event_wanted(struct nl_domain __arena *dom, enum nl_event kind)
{
	return READ_ONCE(dom->events) & (1U << kind);
}

/* tell: slot and enq as the kind says. Callers hold a run queue's lock, or are at least not interrupted by another. */
__noinline int tell(u32 d, u32 kind, u32 slot, u32 enq, u32 generation)
{
	struct domain_state *ds = domain_state(d);
	struct nl_domain __arena *dom = domain_of(ds);

	use_arena();
	if (ds->state != NL_DOMAIN_ACTIVE)
		return 0;
	if (!task_ring_push(ds, dom, slot, enq, generation, kind << 8)) {
		count(d, NL_CNT_EVENTS_LOST);
		return 0;
	}
	count(d, NL_CNT_EVENTS);
	worker_wake(d, ds, dom, now_ns());
	return 0;
}

static __always_inline void tell_task(struct task *tc, enum nl_event kind, u32 enq)
{
	if (tc->slot != NL_NO_SLOT && event_wanted(domain_of(domain_state(tc->domain)), kind))
		tell(tc->domain, kind, tc->slot, enq, tc->generation);
}

#endif
