/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * watch.h: one timer looks after every domain: a worker that stopped moving, a worker parked for a second, waits that
 * are overdue, tasks that wait beside idle CPUs or for CPUs that are gone, and a main thread that fell silent.
 */
#ifndef NODELAND_WATCH_H
#define NODELAND_WATCH_H

#include "common.h"
#include "compat.h"
#include "order.h"
#include "rescue.h"
#include "rings.h"
#include "worker.h"

#define WATCH_NS (5 * NSEC_PER_MSEC)
/* A parked worker runs this often though it has no work: it is a runnable task, and a stalled one is ejected. */
#define PARKED_MAX_NS NSEC_PER_SEC
#define HEARTBEAT_LATE_NS NSEC_PER_SEC

struct watch {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct watch);
} watch_map SEC(".maps");

u32 last_heartbeat;
u64 last_heartbeat_ns;
u32 heartbeat_was_late;

static __always_inline void set_state(u32 d, struct domain_state *ds, u32 state)
{
	struct nl_domain __arena *dom = domain_of(ds);
	u64 t;

	if (state == ds->state)
		return;
	t = now_ns();
	if (ds->state == NL_DOMAIN_FALLBACK) {
		__sync_fetch_and_add(&dom->counters[NL_CNT_FALLBACK_LEAVE], 1);
		__sync_fetch_and_add(&dom->counters[NL_CNT_FALLBACK_US], (t - ds->fallback_since_ns) / NSEC_PER_USEC);
	}
	if (state == NL_DOMAIN_FALLBACK) {
		ds->fallback_since_ns = t;
		__sync_fetch_and_add(&dom->counters[NL_CNT_FALLBACK_ENTER], 1);
	}
	ds->state = state;
	dom->state = state;
}

/* The domain itself, or the nearest one that has a CPU when all of its own are offline. */
static __always_inline struct domain_state *living(struct domain_state *ds)
{
	u32 i;

	if (ds->nr_offline < ds->nr_cpus)
		return ds;
	bpf_for(i, 0, nr_domains - 1) {
		struct domain_state *other = domain_state(ds->near[i & (NL_MAX_DOMAINS - 1)]);

		if (other->nr_offline < other->nr_cpus)
			return other;
	}
	return ds;
}

/* Active, or in fallback: by whether the worker that has something to do moves. */
static __always_inline void watch_worker(u32 d, struct domain_state *ds, struct nl_domain __arena *dom, u64 t)
{
	u32 progress = READ_ONCE(dom->progress);
	bool held = !task_ring_empty(dom) || dom->worker_state == NL_WORKER_BUSY;

	if (!ds->worker_tid)
		return;
	if (progress != ds->last_progress || (!held && ds->state != NL_DOMAIN_ABSENT)) {
		ds->last_progress = progress;
		ds->last_move_ns = t;
		set_state(d, ds, NL_DOMAIN_ACTIVE);
	} else if (t - ds->last_move_ns > stall_ns && ds->state == NL_DOMAIN_ACTIVE) {
		set_state(d, ds, NL_DOMAIN_FALLBACK);
	}
	if (!READ_ONCE(dom->parked))
		return;
	if (t - ds->parked_ns > PARKED_MAX_NS || worker_is_signalled(ds->worker_tid)) {
		ds->worker_due = 1;
		kick(ds->worker_cpu, KICK_PREEMPT);
	} else if (worker_has_work(ds, dom)) {
		/* It let another task in, or the kick was lost on a CPU that changed hands. */
		kick(ds->worker_cpu, KICK_PREEMPT);
	}
}

/* Tasks looked at in the queue of a CPU that cannot run them. */
#define STRANDED_MAX 256

/* unstrand: what waits for that CPU and may run on others now waits for any of its domain. False: nothing did. */
__noinline int unstrand(u32 d, u32 cpu)
{
	struct task_struct *p;
	u32 looked = unknown_zero, moved = 0;

	bpf_rcu_read_lock();
	bpf_for_each(scx_dsq, p, DSQ_CPU(cpu), 0) {
		if (looked++ >= STRANDED_MAX)
			break;
		if (p->nr_cpus_allowed > 1 && !migration_disabled(p))
			moved += dsq_move_vtime(FOR_EACH_ITER, p, DSQ_DOMAIN(d), p->scx.dsq_vtime);
	}
	bpf_rcu_read_unlock();
	return moved > 0;
}

/*
 * CPUs that cannot run what is queued for them: offline, or taken by a higher scheduling class, so that they neither
 * idle nor began to run a task of ours between two looks. Whether something was queued there that others can run now.
 * What the kernel has in such a CPU's own queue was put there when it idled or was about to look for work, and
 * cpu_release() is only for a CPU that runs a task of ours when it is taken: that is enqueued again, from 7.1 on.
 */
static __always_inline bool watch_cpus(u32 d, struct domain_state *ds)
{
	u32 i, cpu = ds->first_cpu;
	bool is_stranded = false;

	bpf_for(i, 0, ds->nr_cpus) {
		u32 c = cpu & (NL_MAX_CPUS - 1);
		struct nl_cpu __arena *state = cpu_state(cpu);
		u64 away = READ_ONCE(cpu_local(c)->is_ours) || state->idle ? 0 : state->since_ns + 1;

		if (cpu_kick_owed[c]) {
			u64 flags = cpu_kick_owed[c] - 1;

			cpu_kick_owed[c] = 0;
			kick(cpu, flags);
		}
		cpu_blocked[c] = cpu_offline[c] || (away && away == cpu_away[c]);
		cpu_away[c] = away;
		if (cpu_blocked[c]) {
			if (scx_bpf_dsq_nr_queued(DSQ_CPU(cpu)) > 0 && unstrand(d, cpu))
				is_stranded = true;
			if (!cpu_offline[c] && scx_bpf_dsq_nr_queued(DSQ_LOCAL_ON(cpu)) > 0)
				dsq_reenqueue(DSQ_LOCAL_ON(cpu));
		}
		cpu = cpu_next[c];
	}
	return is_stranded;
}

__noinline int watch_domain(u32 d, u64 t)
{
	struct domain_state *ds = domain_state(d), *by = living(ds);
	struct nl_domain __arena *dom = domain_of(ds);
	bool waiting;

	use_arena();
	watch_worker(d, ds, dom, t);
	if (dom->tick_ms && t - ds->ticked_ns >= dom->tick_ms * NSEC_PER_MSEC) {
		ds->ticked_ns = t;
		dom->ticks++;
		ds->worker_due = 1;
		worker_wake(d, ds, dom, t);
	}
	if (watch_cpus(d, ds))
		kick_one(by);
	if (ds->overdue)
		rescue_begin(ds, by);
	waiting = scx_bpf_dsq_nr_queued(DSQ_DOMAIN(d)) > 0;
	if (by != ds) {
		if (waiting || !decision_ring_empty(ds, dom))
			kick_one(by);
		return 0;
	}
	if (READ_ONCE(dom->nr_idle)) {
		if (waiting || !decision_ring_empty(ds, dom))
			kick_cpus(ds, KICK_IDLE);
	} else if (waiting && nr_domains > 1) {
		/* Tasks wait here while another domain idles: let its CPUs pull. */
		u32 i;

		bpf_for(i, 0, nr_domains - 1) {
			struct domain_state *other = domain_state(ds->near[i & (NL_MAX_DOMAINS - 1)]);

			if (READ_ONCE(domain_of(other)->nr_idle)) {
				kick_cpus(other, KICK_IDLE);
				break;
			}
		}
	}
	return 0;
}

static int watch_tick(void *map, u32 *key, struct watch *w)
{
	struct nl_header __arena *h = at(struct nl_header, 0);
	u64 t = now_ns();
	u32 beat, d;

	use_arena();
	h->now_ns = t;
	overdue_scan(t);
	bpf_for(d, 0, nr_domains)
		watch_domain(d, t);

	beat = READ_ONCE(h->heartbeat);
	if (beat != last_heartbeat) {
		last_heartbeat = beat;
		last_heartbeat_ns = t;
		heartbeat_was_late = 0;
	} else if (t - last_heartbeat_ns > HEARTBEAT_LATE_NS && !heartbeat_was_late) {
		heartbeat_was_late = 1;
		h->heartbeat_late++;
	}
	if (t - last_heartbeat_ns > heartbeat_limit_ns) {
		static char fmt[] = "nodeland: the main thread's heartbeat stopped %llu ms ago";
		unsigned long long arg[1] = { (t - last_heartbeat_ns) / NSEC_PER_MSEC };

		scx_bpf_exit_bstr(1, fmt, arg, sizeof(arg));
	}
	bpf_timer_start(&w->timer, WATCH_NS, 0);
	return 0;
}

static __always_inline int watch_start(void)
{
	u32 zero = 0;
	struct watch *w = bpf_map_lookup_elem(&watch_map, &zero);
	int err;

	if (!w)
		return -2;
	last_heartbeat_ns = now_ns();
	err = bpf_timer_init(&w->timer, &watch_map, 1 /* CLOCK_MONOTONIC */);
	if (err)
		return err;
	bpf_timer_set_callback(&w->timer, watch_tick);
	return bpf_timer_start(&w->timer, WATCH_NS, 0);
}

#endif
