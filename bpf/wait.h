/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wait.h: who waits for a worker's decision. Private, one word per slot, so that nothing the process writes can make a
 * waiting task disappear.
 *
 * A wait is opened when the task is put into a task ring, and closed exactly once:
 *   1. wait_open stores the word: enqueue number, time, domain. The task's CPU does it, holding its run queue's lock.
 *   2. wait_claim takes it back to 0 by compare-and-swap. Whoever succeeds (a decision, or the rescue) queues the task.
 *   3. wait_close, when the task is dequeued or exits, takes it back without queueing.
 * The enqueue number is in the word, so a claim for an earlier wait of the slot fails.
 */
#ifndef NODELAND_WAIT_H
#define NODELAND_WAIT_H

#include "common.h"

/* One word per slot, 0: nobody waits. enqueue number << 32 | time in about milliseconds << 6 | domain. */
u64 waits[NL_MAX_SLOTS];

/* Whose slot it is. */
struct slot_task {
	u32 pid; /* 0: nobody's */
	u32 generation;
	u32 enq; /* where the next task goes on counting */
	u32 reserved;
};
struct slot_task slot_tasks[NL_MAX_SLOTS];

#define WAIT_TIME_SHIFT 20
#define WAIT_TIME_BITS 26
#define WAIT_TIME_MASK ((1U << WAIT_TIME_BITS) - 1)
#define WAIT_DOMAIN_BITS 6

_Static_assert(1 << WAIT_DOMAIN_BITS == NL_MAX_DOMAINS, "a wait names its domain");

static __always_inline u64 *wait_of(u32 slot)
{
	return &waits[slot & (NL_MAX_SLOTS - 1)];
}

static __always_inline struct slot_task *slot_task(u32 slot)
{
	return &slot_tasks[slot & (NL_MAX_SLOTS - 1)];
}

static __always_inline u32 wait_time(u64 t)
{
	return (u32)(t >> WAIT_TIME_SHIFT) & WAIT_TIME_MASK;
}

static __always_inline u32 wait_enq(u64 wait)
{
	return wait >> 32;
}

static __always_inline u32 wait_domain(u64 wait)
{
	return wait & (NL_MAX_DOMAINS - 1);
}

/*
 * How long it has been open at t, in units of 2^20 ns; 0 when it was opened after t was read. Right for waits shorter
 * than 9 hours.
 */
static __always_inline u32 wait_age(u64 wait, u64 t)
{
	u32 age = (wait_time(t) - (u32)(wait >> WAIT_DOMAIN_BITS)) & WAIT_TIME_MASK;

	return age >> (WAIT_TIME_BITS - 1) ? 0 : age;
}

static __always_inline void wait_open(u32 slot, u32 enq, u32 d, u64 t)
{
	/* Whoever sees the word sees the task's enqueue number as well. */
	store_release(wait_of(slot), (u64)enq << 32 | (u64)wait_time(t) << WAIT_DOMAIN_BITS | d);
}

/* False when somebody else was quicker. */
static __always_inline bool wait_claim(u32 slot, u64 wait)
{
	return __sync_val_compare_and_swap(wait_of(slot), wait, 0) == wait;
}

static __always_inline bool wait_close(u32 slot)
{
	if (!READ_ONCE(*wait_of(slot)))
		return false;
	WRITE_ONCE(*wait_of(slot), 0);
	return true;
}

#endif
