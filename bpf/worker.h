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
	return !task_ring_empty(dom) || READ_ONCE(ds->worker_due) || ds->worker_unfinished ||
	       READ_ONCE(dom->wake_request) || dom->wait_mode != NL_WAIT_PARK;
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
		kick(ds->worker_cpu, KICK_PREEMPT);
	}
}

/*
 * Step W. The CPU may have been taken offline under the worker: the queue follows the worker, not the plan. A worker
 * that did not yield is in the middle of something: it goes on when what it was stopped for is done.
 */
static __always_inline void worker_enqueue(struct task_struct *p, struct task *tc, s32 cpu, u64 enq_flags, u64 t)
{
	u32 d = (tc->worker - 1) & (NL_MAX_DOMAINS - 1);
	struct domain_state *ds = domain_state(d);
	struct nl_domain __arena *dom = domain_of(ds);
	bool displaced = domain_of_cpu(cpu) != d;

	if (displaced != ds->worker_displaced) {
		ds->worker_displaced = displaced;
		__sync_fetch_and_add(&nr_displaced, displaced ? 1 : -1);
	}
	ds->worker_unfinished = !tc->yielded;
	if (ds->worker_cpu != cpu)
		ds->worker_cpu = cpu;
	ds->parked_ns = t;
	dsq_insert(p, DSQ_WORKER(d), WORKER_SLICE_NS, 0);
	__sync_lock_test_and_set(&dom->parked, 1);
	if ((tc->yielded || (enq_flags & ENQ_LAST)) && worker_has_work(ds, dom) &&
	    t - ds->guest_since_ns > GUEST_TURN_NS)
		kick(cpu, KICK_PREEMPT);
	tc->yielded = 0;
}

/*
 * Whether the worker, which has work, should let a task go first: one bound to its CPU, or, while the domain does not
 * count on its worker, any of the domain.
 */
static __always_inline bool worker_owes_turn(u32 d, struct domain_state *ds, struct nl_domain __arena *dom, s32 cpu,
					     u64 running_ns)
{
	if (!nr_waiting(cpu) && (ds->state == NL_DOMAIN_ACTIVE || !scx_bpf_dsq_nr_queued(DSQ_DOMAIN(d))))
		return false;
	return ds->worker_ran_ns + running_ns > WORKER_SLICE_NS ||
	       (dom->wait_mode != NL_WAIT_PARK && task_ring_empty(dom));
}

/* What makes a task run to its next signal, stop or end: bits of task_struct.jobctl above the stop signal's number. */
#define JOBCTL_SIGNAL_BITS 16
#define GROUP_EXIT 4 /* SIGNAL_GROUP_EXIT of signal_struct.flags */

/* A parked worker is runnable, so a signal does not wake it: it must run to be stopped or ended. */
static __always_inline bool worker_is_signalled(u32 tid)
{
	struct task_struct *p = bpf_task_from_pid(tid);
	bool is_signalled;

	if (!p)
		return false;
	is_signalled = p->jobctl >> JOBCTL_SIGNAL_BITS || p->pending.signal.sig[0] ||
		       BPF_CORE_READ(p, signal, flags) & GROUP_EXIT;
	bpf_task_release(p);
	return is_signalled;
}

#endif
