/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * rings.h: the two rings of a domain, kernel side. The worker's side is src/shm/task-ring.ts and
 * decision-ring.ts.
 *
 * Task ring: many CPUs write, one worker reads.
 *   1. A producer reads task_head_seen, the head as one of them read it before, and task_tail. With fewer than `margin`
 *      places free it reads task_head, puts that into task_head_seen, and looks at task_tail again; then the ring is
 *      full. The margin is one place per CPU, and each CPU has at most one push in flight, so step 2 never overtakes
 * the reader. A head seen long ago makes the room smaller, never larger, and the worker's line is not fetched for each
 * push.
 *   2. It takes place `pos` by adding one to task_tail. Places are unique, and no producer waits for another.
 *   3. It writes slot, enq, generation, flags and kind of entry pos & mask.
 *   4. It publishes with entry.seq = pos + 1 (store-release). A reader that sees pos + 1 sees step 3; before that
 *      it sees the value of the last turn and stops there.
 *   5. The reader frees places by moving task_head, after it has read them.
 *
 * Decision ring: one worker writes, any CPU of the domain reads.
 *   1. The worker writes entries from its tail on, as far as decision_head + size, all but the first of a batch with
 *      seq = pos + 1, and publishes the batch with the first one's. Readers take entries in order: who sees the first
 * one's seq sees what was written before it.
 *   2. A consumer reads decision_head as `pos`. An entry whose seq is not its position + 1 is the end.
 *   3. It copies n entries from pos on: as many as there are, up to a limit.
 *   4. It moves decision_head from pos to pos + n by compare-and-swap. Success makes the copies its own: the worker
 *      cannot have reused the places while decision_head was pos. Failure discards them.
 *   A seq that a broken writer spoiled holds up the ring, until the worker finds no room and mends it, or is followed
 * by another one; the waits in it become overdue and are queued here.
 */
#ifndef NODELAND_RINGS_H
#define NODELAND_RINGS_H

#include "common.h"

static __always_inline bool task_ring_empty(struct nl_domain __arena *dom)
{
	return READ_ONCE(dom->task_tail) == READ_ONCE(dom->task_head);
}

/* The place of a decision. Its last word but one are the flags, its last the sequence number: one load tells both. */
static __always_inline __u64 __arena *decision_place(struct domain_state *ds, __u32 pos)
{
	return (__u64 __arena *)&at(struct nl_decision, ds->decision_ring_off)[pos & ds->decision_ring_mask];
}

static __always_inline bool decision_ring_empty(struct domain_state *ds, struct nl_domain __arena *dom)
{
	__u32 pos = READ_ONCE(dom->decision_head);

	return (__u32)(READ_ONCE(decision_place(ds, pos)[3]) >> 32) != pos + 1;
}

/*
 * task_ring_push: false when the ring is full. Wait-free. `kind_flags` is enum nl_task_flag | enum nl_event << 8.
 * The head is read first: a head that is read after others have pushed, and the worker has taken that, is beyond the
 * tail.
 */
static __always_inline bool task_ring_push(struct domain_state *ds, struct nl_domain __arena *dom, __u32 slot,
					   __u32 enq, __u16 generation, __u16 kind_flags)
{
	struct nl_task_entry __arena *e;
	__u32 pos, head = READ_ONCE(dom->task_head_seen), tail = READ_ONCE(dom->task_tail);

	if (tail - head > ds->task_ring_room) {
		head = READ_ONCE(dom->task_head);
		WRITE_ONCE(dom->task_head_seen, head);
		tail = READ_ONCE(dom->task_tail);
		if (tail - head > ds->task_ring_room)
			return false;
	}
	pos = __sync_fetch_and_add(&dom->task_tail, 1);
	e = &at(struct nl_task_entry, ds->task_ring_off)[pos & ds->task_ring_mask];
	e->slot = slot;
	/* enq, generation, flags and kind */
	*(__u64 __arena *)&e->enq = enq | (__u64)generation << 32 | (__u64)kind_flags << 48;
	store_release(&e->seq, pos + 1);
	return true;
}

/* How many decisions are taken by one compare-and-swap at most: 256 bytes of stack. */
#define DECISION_TAKE 8

/*
 * decision_ring_take: copies up to `most` (at most DECISION_TAKE) of the oldest decisions to out[0..] and returns how
 * many; 0 when there are none or another CPU was quicker. A compare-and-swap costs as much as all else here, so several
 * are taken with one.
 */
static __always_inline __u32 decision_ring_take(struct domain_state *ds, struct nl_domain __arena *dom,
						struct nl_decision *out, __u32 most)
{
	__u64 *to = (__u64 *)out;
	__u32 pos = READ_ONCE(dom->decision_head), n = 0, i;

#pragma unroll
	for (i = 0; i < DECISION_TAKE; i++) {
		__u64 __arena *e = decision_place(ds, pos + i);
		__u64 last;
		__u32 seq;

		if (i == most)
			break;
		last = load_acquire(&e[3]);
		seq = last >> 32;
		if (seq != pos + i + 1)
			break;
		to[4 * i] = e[0];
		to[4 * i + 1] = e[1];
		to[4 * i + 2] = e[2];
		to[4 * i + 3] = last;
		/* i + 1, but a constant would have the verifier look at what follows once for each. */
		asm volatile("" : "+r"(seq));
		n = seq - pos;
	}
	if (!n)
		return 0;
	return __sync_val_compare_and_swap(&dom->decision_head, pos, pos + n) == pos ? n : 0;
}

_Static_assert(sizeof(struct nl_decision) == 4 * sizeof(__u64), "decision_ring_take copies four words");

/*
 * The order of a decision in ns. Further than 10 s from the domain's clock it is taken for a mistake: the clock.
 */
static __always_inline __u64 decision_key(const struct nl_decision *dec, __u64 clock_ns, bool *clamped)
{
	__u64 key = ((__u64)dec->key_hi << 32) | dec->key_lo;

	*clamped = after(key, clock_ns + 10 * NSEC_PER_SEC) || after(clock_ns, key + 10 * NSEC_PER_SEC);
	return *clamped ? clock_ns : key;
}

/* The slice of a decision in ns, within NL_SLICE_MIN_US..NL_SLICE_MAX_US; 0 asks for the default. */
static __always_inline __u64 decision_slice(const struct nl_decision *dec, bool *clamped)
{
	__u32 us = dec->slice_us;

	*clamped = false;
	if (!us)
		return default_slice_ns;
	if (us < NL_SLICE_MIN_US) {
		us = NL_SLICE_MIN_US;
		*clamped = true;
	} else if (us > NL_SLICE_MAX_US) {
		us = NL_SLICE_MAX_US;
		*clamped = true;
	}
	return us * NSEC_PER_USEC;
}

#endif
