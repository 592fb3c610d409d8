/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * watch.h: one timer looks after every domain: a worker that stopped moving, a worker parked for a second, tasks
 * that wait beside idle CPUs, and a main thread that fell silent.
 */
#ifndef NODELAND_WATCH_H
#define NODELAND_WATCH_H

#include "common.h"
#include "compat.h"
#include "order.h"
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
	ds->state = state;
	domain_of(ds)->state = state;
}

/* kick_all: every CPU of the domain looks for work. */
static __always_inline void kick_all(struct domain_state *ds)
{
	u32 i, cpu = ds->first_cpu;

	bpf_for(i, 0, ds->nr_cpus) {
		if (cpu_state(cpu)->online)
			scx_bpf_kick_cpu(cpu, KICK_IDLE);
		cpu = cpu_next[cpu & (NL_MAX_CPUS - 1)];
	}
}

static __always_inline void watch_domain(u32 d, u64 t)
{
	struct domain_state *ds = domain_state(d);
	struct nl_domain __arena *dom = domain_of(ds);
	u32 progress = READ_ONCE(dom->progress);
	bool held = !task_ring_empty(dom) || dom->worker_state == NL_WORKER_BUSY;

	if (ds->state == NL_DOMAIN_ABSENT) {
		kick_all(ds);
		return;
	}
	if (progress != ds->last_progress || !held) {
		ds->last_progress = progress;
		ds->last_move_ns = t;
		if (ds->state == NL_DOMAIN_FALLBACK) {
			set_state(d, ds, NL_DOMAIN_ACTIVE);
			__sync_fetch_and_add(&dom->counters[NL_CNT_FALLBACK_LEAVE], 1);
		}
	} else if (t - ds->last_move_ns > stall_ns) {
		if (ds->state == NL_DOMAIN_ACTIVE) {
			set_state(d, ds, NL_DOMAIN_FALLBACK);
			__sync_fetch_and_add(&dom->counters[NL_CNT_FALLBACK_ENTER], 1);
		}
		kick_all(ds);
	}
	if (READ_ONCE(dom->parked) && t - ds->parked_ns > PARKED_MAX_NS) {
		ds->worker_due = 1;
		scx_bpf_kick_cpu(ds->worker_cpu, KICK_PREEMPT);
	} else if (READ_ONCE(dom->parked) && worker_has_work(ds, dom)) {
		/* It let a bound task in, or the kick was lost on a CPU that changed hands. */
		scx_bpf_kick_cpu(ds->worker_cpu, KICK_PREEMPT);
	}
	if (!decision_ring_empty(dom) && READ_ONCE(dom->nr_idle))
		kick_all(ds);
	/* Tasks wait here while another domain idles: let its CPUs pull. */
	if (nr_domains > 1 && !READ_ONCE(dom->nr_idle) && scx_bpf_dsq_nr_queued(DSQ_DOMAIN(d)) > 0) {
		u32 i;

		bpf_for(i, 0, nr_domains - 1) {
			struct domain_state *other = domain_state(ds->near[i & (NL_MAX_DOMAINS - 1)]);

			if (READ_ONCE(domain_of(other)->nr_idle)) {
				kick_all(other);
				break;
			}
		}
	} else if (READ_ONCE(dom->nr_idle) && scx_bpf_dsq_nr_queued(DSQ_DOMAIN(d)) > 0) {
		kick_all(ds);
	}
}

static int watch_tick(void *map, u32 *key, struct watch *w)
{
	struct nl_header __arena *h = at(struct nl_header, 0);
	u64 t = now_ns();
	u32 beat, d;

	use_arena();
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
