/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * worker.h: how a domain's worker gets its CPU.
 *
 * A worker that waits has yielded: it is runnable for the kernel, and sits in its domain's worker queue until there
 * is something for it. Protocol between a CPU that asks (A) and the worker that goes to wait (W):
 *   A1. pushes to the task ring (the fetch-and-add is a full barrier), A2. reads `parked`, A3. kicks if it is set.
 *   W1. enters the worker queue, W2. sets `parked` with a full barrier, W3. reads the task ring, kicks its own CPU
 *       if there is work.
 * One of A2 and W3 sees the other's write, so work never waits behind a parked worker. The CPU that was kicked
 * enters dispatch(), which moves the worker to it before any other task. While it runs `parked` is 0.
 */
#ifndef NODELAND_WORKER_H
#define NODELAND_WORKER_H

#include "common.h"
#include "compat.h"
#include "order.h"
#include "rings.h"

/*
 * A worker that always has work must still let the tasks bound to its CPU run: after so long it lets one in, and is
 * not kicked back before that one had its turn.
 */
#define WORKER_SLICE_NS (5 * NSEC_PER_MSEC)
#define GUEST_TURN_NS NSEC_PER_MSEC

struct doorbell {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
};

/* For workers that block on a file descriptor (wait mode poll). */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, NL_MAX_DOMAINS);
	__type(key, u32);
	__array(values, struct doorbell);
} doorbells SEC(".maps");

static __always_inline bool worker_has_work(struct domain_state *ds, struct nl_domain __arena *dom)
{
	return !task_ring_empty(dom) || READ_ONCE(ds->worker_due) || READ_ONCE(dom->wake_request) ||
	       dom->wait_mode != NL_WAIT_PARK;
}

static __always_inline void worker_wake(u32 d, struct domain_state *ds, struct nl_domain __arena *dom, u64 t)
{
	if (dom->wait_mode == NL_WAIT_POLL) {
		/* The worker says READY, looks at the ring, then blocks: the entry must be there before this look. */
		full_barrier(&ds->scratch);
		if (dom->worker_state == NL_WORKER_READY) {
			u32 key = d, one = 1;
			void *bell = bpf_map_lookup_elem(&doorbells, &key);

			if (bell)
				bpf_ringbuf_output(bell, &one, sizeof(one), BPF_RB_FORCE_WAKEUP);
			count(d, NL_CNT_WORKER_KICKS);
		}
		return;
	}
	if (READ_ONCE(dom->parked) && t - ds->guest_since_ns > GUEST_TURN_NS) {
		count(d, NL_CNT_WORKER_KICKS);
		if (!ds->kicked_ns)
			ds->kicked_ns = t;
		scx_bpf_kick_cpu(ds->worker_cpu, KICK_PREEMPT);
	}
}

/*
 * Step W. The CPU may have been taken offline under the worker: the queue follows the worker, not the plan. A worker
 * that did not yield was stopped for something that is to run now, and is found again when that is done.
 */
static __always_inline void worker_enqueue(struct task_struct *p, struct task *tc, s32 cpu, u64 enq_flags, u64 t)
{
	u32 d = (tc->worker - 1) & (NL_MAX_DOMAINS - 1);
	struct domain_state *ds = domain_state(d);
	struct nl_domain __arena *dom = domain_of(ds);

	ds->worker_cpu = cpu;
	ds->parked_ns = t;
	dsq_insert(p, DSQ_WORKER(d), WORKER_SLICE_NS);
	__sync_lock_test_and_set(&dom->parked, 1);
	if ((tc->yielded || (enq_flags & ENQ_LAST)) && worker_has_work(ds, dom) &&
	    t - ds->guest_since_ns > GUEST_TURN_NS)
		scx_bpf_kick_cpu(cpu, KICK_PREEMPT);
	tc->yielded = 0;
}

/* Whether the worker, which has work, should let a task bound to its CPU go first. */
static __always_inline bool worker_owes_turn(struct domain_state *ds, struct nl_domain __arena *dom, s32 cpu,
					     u64 running_ns)
{
	if (!scx_bpf_dsq_nr_queued(DSQ_CPU(cpu)))
		return false;
	return ds->worker_ran_ns + running_ns > WORKER_SLICE_NS ||
	       (dom->wait_mode != NL_WAIT_PARK && task_ring_empty(dom));
}

#endif
