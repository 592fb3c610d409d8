/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * order.h: where a task waits, in what order, and who is preempted for it. Order lives in vtime queues; preemption
 * is a kick, never a place in a queue.
 *
 * Queues: one per domain for tasks that may run on any of its CPUs, one per CPU for tasks bound or sent there,
 * one per domain for its parked worker. A CPU takes the earlier of the first tasks of its own and its domain's.
 */
#ifndef NODELAND_ORDER_H
#define NODELAND_ORDER_H

#include "common.h"
#include "compat.h"
#include "task.h"

#define DSQ_DOMAIN(d) (0x10000ULL + (d))
#define DSQ_WORKER(d) (0x20000ULL + (d))
#define DSQ_CPU(cpu) (0x40000ULL + (cpu))
#define DSQ_EMPTY 0x30000ULL /* never filled */

/*
 * At a tick, what waits must be earlier by so many default slices: by one when the task has had half a slice, before
 * that by ten, so that a waker goes on beside those it woke (synchronous wake-ups preempt nobody), but not what has
 * computed for long.
 */
#define TICK_MARGIN_SLICES 1
#define TICK_MARGIN_EARLY_SLICES 10
/* A CPU told to preempt is no victim again so soon: the kick under way is for another task. */
#define KICK_SETTLE_NS (500 * NSEC_PER_USEC)
/* CPUs looked at for the latest deadline, beginning with the task's own. */
#define PREEMPT_SCAN 16
/* Less of a slice than this is not worth giving back. */
#define SLICE_REST_MIN_NS (50 * NSEC_PER_USEC)
/* Default bound of execution since wake in a deadline, and of the lag a sleeper keeps. */
#define EXEC_CAP_SLICES 100

/* The deadline of what runs on a CPU, were it queued now. */
static __always_inline u64 running_key(struct nl_cpu __arena *c, u64 t)
{
	u64 ran = t - c->since_ns;

	if ((s64)ran < 0)
		ran = 0;
	/* Both its vtime and its execution since wake have grown. */
	return c->key_ns + weighted(2 * ran, c->weight);
}

/* Whether what runs there is not to be preempted yet. */
static __always_inline bool is_closed(s32 cpu, u64 t)
{
	return after(cpu_local(cpu)->closed_until_ns, t);
}

/* Whether a task with that key comes before what runs there, which may be preempted. */
static __always_inline bool comes_before(u64 key, s32 cpu, struct nl_cpu __arena *c, u64 t)
{
	return c->preemptible && after(running_key(c, t), key) && !is_closed(cpu, t);
}

/* What is left of a task's slice; 0 when it is not worth giving back. */
static __always_inline u64 slice_rest(const struct task *tc)
{
	return tc->slice > tc->slice_used + SLICE_REST_MIN_NS ? tc->slice - tc->slice_used : 0;
}

/* give_slice: its next slice, and the order in which it is queued or runs. */
static __always_inline void give_slice(struct task *tc, u64 key, u64 slice)
{
	tc->key = key;
	tc->slice = slice;
	tc->slice_used = 0;
}

/* kick_idle: wakes one idle CPU of the domain where p may run; false when there is none. */
static __always_inline bool kick_idle(struct task_struct *p, u32 d, s32 start)
{
	struct domain_state *ds = domain_state(d);
	u32 i, cpu = start, n = ds->nr_cpus;

	if (!READ_ONCE(domain_of(ds)->nr_idle))
		return false;
	bpf_for(i, 0, n) {
		if (cpu_state(cpu)->idle && bpf_cpumask_test_cpu(cpu, p->cpus_ptr) &&
		    scx_bpf_test_and_clear_cpu_idle(cpu)) {
			kick(cpu, KICK_IDLE);
			return true;
		}
		cpu = cpu_next[cpu & (NL_MAX_CPUS - 1)];
	}
	return false;
}

/* kick_later: preempts the latest deadline among the domain's CPUs if it is later than key. */
static __always_inline void kick_later(struct task_struct *p, u32 d, s32 start, u64 key, u64 t)
{
	struct domain_state *ds = domain_state(d);
	u32 i, cpu = start, victim = NL_NO_SLOT, n = ds->nr_cpus < PREEMPT_SCAN ? ds->nr_cpus : PREEMPT_SCAN;
	u64 latest = key;

	bpf_for(i, 0, n) {
		struct nl_cpu __arena *c = cpu_state(cpu);

		if (c->preemptible && t - c->kicked_ns > KICK_SETTLE_NS && !is_closed(cpu, t) &&
		    bpf_cpumask_test_cpu(cpu, p->cpus_ptr)) {
			u64 other = running_key(c, t);

			if (after(other, latest)) {
				latest = other;
				victim = cpu;
			}
		}
		cpu = cpu_next[cpu & (NL_MAX_CPUS - 1)];
	}
	if (victim == NL_NO_SLOT)
		return;
	cpu_state(victim)->kicked_ns = t;
	count(d, NL_CNT_PREEMPTIONS);
	kick(victim, KICK_PREEMPT);
}

/*
 * The same as functions of their own, for enqueue(): inlined there, the verifier looks at them in every state of eight
 * places. What dispatch() calls has no room on the stack for one more (6.18 counts 512 bytes for all).
 */
__noinline int call_kick_idle(struct task_struct *p __arg_trusted, u32 d, s32 start)
{
	use_arena();
	return kick_idle(p, d, start);
}

__noinline int call_kick_later(struct task_struct *p __arg_trusted, u32 d, s32 start, u64 key, u64 t)
{
	use_arena();
	kick_later(p, d, start, key, t);
	return 0;
}

/* queue_domain: p waits for any CPU of domain d. */
static __always_inline void queue_domain(struct task_struct *p, struct task *tc, u32 d, u64 key, u64 slice)
{
	give_slice(tc, key, slice);
	dsq_insert_vtime(p, DSQ_DOMAIN(d), slice, key);
}

/*
 * Each CPU's own queue is nearly always empty, and asking the kernel costs a search of its table of queues: the tasks
 * put there are counted. Counted before the insertion and no more only when the task runs, waits elsewhere or is gone,
 * a task in the queue is always counted. The exchange makes each count taken back once, whoever does it.
 */
static __always_inline void note_queued_cpu(struct task *tc, u32 cpu_and_1)
{
	u32 before = __sync_lock_test_and_set(&tc->queued_cpu, cpu_and_1);

	if (before)
		__sync_fetch_and_add(&cpu_local(before - 1)->nr_waiting, -1);
}

/* left_queue: the task waits in no CPU's own queue any more. */
static __always_inline void left_queue(struct task *tc)
{
	if (READ_ONCE(tc->queued_cpu))
		note_queued_cpu(tc, 0);
}

static __always_inline void queue_cpu(struct task_struct *p, struct task *tc, s32 cpu, u64 key, u64 slice)
{
	give_slice(tc, key, slice);
	__sync_fetch_and_add(&cpu_local(cpu)->nr_waiting, 1);
	note_queued_cpu(tc, cpu + 1);
	dsq_insert_vtime(p, DSQ_CPU(cpu), slice, key);
}

/* How many wait in a CPU's own queue. */
static __always_inline s32 nr_waiting(s32 cpu)
{
	return READ_ONCE(cpu_local(cpu)->nr_waiting) ? scx_bpf_dsq_nr_queued(DSQ_CPU(cpu)) : 0;
}

/*
 * The in-kernel deadline: vtime, plus weighted execution since wake up to a bound. The bound is on the weighted time,
 * so that tasks of all weights that never sleep come to it at one virtual time, and keep their shares meanwhile.
 */
static __always_inline u64 kernel_key(struct task *tc, u64 cap)
{
	u64 exec = weighted_exec(tc);

	return tc->vtime + (exec > cap ? cap : exec);
}

/*
 * undecided_key: for a task that nobody decides: its kernel_key(). Beside decisions whose keys stay what they are (they
 * lie a turn or so after the clock) its execution since wake would be a wait of up to EXEC_CAP_SLICES: there it has the
 * deadline of one that begins a turn now, and an advantage of one slice at most.
 */
static __always_inline u64 undecided_key(struct domain_state *ds, struct task *tc)
{
	u64 begin;

	if (!ds->keeps_keys)
		return kernel_key(tc, EXEC_CAP_SLICES * default_slice_ns);
	begin = domain_of(ds)->clock_ns - default_slice_ns;
	if (after(tc->vtime, begin))
		begin = tc->vtime;
	return begin + weighted(default_slice_ns, tc->weight);
}

/*
 * order_take: whether a standing order covers this wake-up, and its values, bounded. An order is valid for its
 * number of wake-ups and until its time; a new serial starts the count again.
 */
struct order {
	u64 lag, cap, offset, slice;
	u32 flags;
	u32 cpu;
};

static __always_inline bool order_take(struct task *tc, struct nl_slot __arena *s, u64 t, struct order *o)
{
	u32 serial = load_acquire(&s->order.serial);
	u64 slice_us;

	if (!serial)
		return false;
	if (serial != tc->order_serial) {
		tc->order_serial = serial;
		tc->order_used = 0;
	}
	if (tc->order_used >= s->order.wakes || t >= (s->order.expires_ms + 1ULL) * NSEC_PER_MSEC)
		return false;
	tc->order_used++;
	o->lag = s->order.lag_us * NSEC_PER_USEC;
	o->cap = s->order.exec_cap_us * NSEC_PER_USEC;
	o->offset = s->order.offset_us * NSEC_PER_USEC;
	if (o->lag > LAG_MAX_NS)
		o->lag = LAG_MAX_NS;
	if (o->cap > LAG_MAX_NS)
		o->cap = LAG_MAX_NS;
	if (o->offset > LAG_MAX_NS)
		o->offset = LAG_MAX_NS;
	slice_us = s->order.slice_us;
	if (!slice_us)
		slice_us = default_slice_ns / NSEC_PER_USEC;
	if (slice_us < NL_SLICE_MIN_US)
		slice_us = NL_SLICE_MIN_US;
	if (slice_us > NL_SLICE_MAX_US)
		slice_us = NL_SLICE_MAX_US;
	o->slice = slice_us * NSEC_PER_USEC;
	o->flags = s->order.flags;
	o->cpu = s->order.cpu;
	return true;
}

#endif
