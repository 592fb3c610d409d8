// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopback.bpf.c: the real rings and the real checks without sched_ext, for tests and benchmarks on any kernel.
 * nl_feed plays the CPUs that enqueue, nl_drain the CPUs that dispatch. Any number of threads may run them.
 */
#include "common.h"
#include "rings.h"
#include "setup.h"

char _license[] SEC("license") = "GPL";

SEC("syscall")
int nl_register_worker(struct nl_worker_args *args)
{
	struct domain_state *ds;

	use_arena();
	if (args->domain >= nr_domains)
		return -NL_EINVAL;
	ds = domain_state(args->domain);
	args->tid = (__u32)bpf_get_current_pid_tgid();
	ds->worker_tid = args->registered ? args->tid : 0;
	ds->state = args->registered ? NL_DOMAIN_ACTIVE : NL_DOMAIN_ABSENT;
	domain_of(ds)->worker_tid = ds->worker_tid;
	domain_of(ds)->state = ds->state;
	return 0;
}

/* Gives each slot of the range a task to pretend with: alive, owned by the kernel, generation 1. */
SEC("syscall")
int nl_feed_prepare(struct nl_feed_args *args)
{
	struct nl_slot __arena *s;
	__u32 i;

	use_arena();
	bpf_for(i, 0, args->nr_slots) {
		s = slot_at((args->first_slot + i) & (NL_MAX_SLOTS - 1));
		s->generation = 1;
		s->pid = args->first_slot + i + 1;
		s->weight = WEIGHT_DEFAULT;
		s->owner = NL_OWNER_KERNEL;
		s->domain = args->domain;
	}
	return 0;
}

/*
 * Pushes `count` tasks. A slot still held by the worker is passed over, as a task that waits cannot be enqueued
 * again. args->pushed and args->ring_full say what happened.
 */
SEC("syscall")
int nl_feed(struct nl_feed_args *args)
{
	struct domain_state *ds;
	struct nl_domain __arena *dom;
	__u32 i, pushed = 0, full = 0, n = args->nr_slots, base = args->first_slot, slot = 0;
	__u64 start;

	use_arena();
	if (args->domain >= nr_domains || !n || base + n > nr_slots)
		return -NL_EINVAL;
	ds = domain_state(args->domain);
	dom = domain_of(ds);
	start = bpf_ktime_get_ns();
	bpf_for(i, 0, args->count) {
		struct nl_slot __arena *s = slot_at((base + slot) & (NL_MAX_SLOTS - 1));
		__u32 enq;

		if (s->owner != NL_OWNER_ASKED) {
			enq = s->enq + 1;
			s->enq = enq;
			s->exec_since_wake_ns = (slot & 63) * 10000;
			s->vtime_ns = dom->clock_ns + (slot & 1023) * 1000;
			s->owner = NL_OWNER_ASKED;
			if (task_ring_push(ds, dom, base + slot, enq, s->generation, NL_TASK_WAKEUP)) {
				pushed++;
			} else {
				s->owner = NL_OWNER_KERNEL;
				full++;
			}
		}
		slot = slot + 1 < n ? slot + 1 : 0;
	}
	args->elapsed_ns = bpf_ktime_get_ns() - start;
	args->pushed = pushed;
	args->ring_full = full;
	return 0;
}

/* Takes up to `count` decisions and checks each as the scheduler does; what it refuses it counts. */
SEC("syscall")
int nl_drain(struct nl_drain_args *args)
{
	struct domain_state *ds;
	struct nl_domain __arena *dom;
	__u32 i, drained = 0, stale = 0, dead = 0, bad_cpu = 0, slice_clamped = 0, key_clamped = 0;
	__u64 start, sink = 0;

	use_arena();
	if (args->domain >= nr_domains)
		return -NL_EINVAL;
	ds = domain_state(args->domain);
	dom = domain_of(ds);
	start = bpf_ktime_get_ns();
	bpf_for(i, 0, args->count) {
		struct nl_decision dec;
		struct nl_slot __arena *s;
		bool clamped;

		if (!decision_ring_pop(ds, dom, &dec)) {
			if (decision_ring_empty(dom))
				break;
			continue;
		}
		if (dec.slot >= nr_slots) {
			dead++;
			continue;
		}
		s = slot_at(dec.slot & (NL_MAX_SLOTS - 1));
		if (s->owner == NL_OWNER_FREE || (__u16)s->generation != dec.generation) {
			dead++;
			continue;
		}
		if (s->owner != NL_OWNER_ASKED || s->enq != dec.enq) {
			stale++;
			continue;
		}
		if (dec.cpu != NL_CPU_ANY && (dec.cpu >= nr_cpus || domain_of_cpu(dec.cpu) != args->domain))
			bad_cpu++;
		sink += decision_slice(&dec, &clamped);
		slice_clamped += clamped;
		sink += decision_key(&dec, dom->clock_ns, &clamped);
		key_clamped += clamped;
		if (__sync_val_compare_and_swap(&s->owner, NL_OWNER_ASKED, NL_OWNER_KERNEL) != NL_OWNER_ASKED) {
			stale++;
			continue;
		}
		s->wakes++;
		drained++;
	}
	args->elapsed_ns = bpf_ktime_get_ns() - start;
	barrier();
	ds->scratch = (__u32)sink;
	args->drained = drained;
	args->stale = stale;
	args->dead_slot = dead;
	args->bad_cpu = bad_cpu;
	args->slice_clamped = slice_clamped;
	args->key_clamped = key_clamped;
	return 0;
}
