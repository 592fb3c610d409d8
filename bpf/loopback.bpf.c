// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopback.bpf.c: the real rings and the real checks without sched_ext, for tests and benchmarks on any kernel.
 * nl_feed plays the CPUs that enqueue, nl_drain the CPUs that dispatch. Any number of threads may run them.
 * nl_ping does both and times the way there and back.
 */
#include "common.h"
#include "record.h"
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

/* Zero, which the verifier does not know: counters that begin with it are not followed one value at a time. */
volatile __u32 zero;

/* Writes what the scheduler writes into a slot when it asks (ask() in nodeland.bpf.c); wakes counts decisions here. */
static __always_inline void feed_slot(struct nl_slot __arena *s, struct nl_domain __arena *dom, __u32 domain,
				      __u32 number, __u32 enq, __u64 t)
{
	s->vtime_ns = dom->clock_ns + (number & 1023) * 1000;
	s->exec_since_wake_ns = (number & 63) * 10000;
	s->exec_since_decision_ns = (number & 63) * 10000;
	s->started_ns = t;
	s->stopped_ns = t;
	s->enqueued_ns = t;
	s->woken_ns = t;
	s->sleep_ns = 1000;
	s->domain = domain;
	s->cpu = number & 7;
	s->enq = enq;
	s->owner = NL_OWNER_ASKED;
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
	__u32 i, pushed = zero, full = zero, slot = zero, n = args->nr_slots, base = args->first_slot;
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
			feed_slot(s, dom, args->domain, slot, enq, start - epoch_ns);
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

/* What the decisions came to; the names are those of nl_drain_args. */
struct drained {
	__u32 drained, stale, dead_slot, bad_cpu, slice_clamped, key_clamped;
	__u64 sink;
};

/* Checks a decision as the scheduler does, and counts what it comes to. */
static __always_inline void drain_one(struct drained *sum, const struct nl_decision *dec, __u32 domain, __u64 clock_ns)
{
	struct nl_slot __arena *s;
	bool clamped;

	if (dec->slot >= nr_slots) {
		sum->dead_slot++;
		return;
	}
	s = slot_at(dec->slot & (NL_MAX_SLOTS - 1));
	if (s->owner == NL_OWNER_FREE || (__u16)s->generation != dec->generation) {
		sum->dead_slot++;
		return;
	}
	if (s->owner != NL_OWNER_ASKED || s->enq != dec->enq) {
		sum->stale++;
		return;
	}
	if (dec->cpu != NL_CPU_ANY && (dec->cpu >= nr_cpus || domain_of_cpu(dec->cpu) != domain))
		sum->bad_cpu++;
	sum->sink += decision_slice(dec, &clamped);
	sum->slice_clamped += clamped;
	sum->sink += decision_key(dec, clock_ns, &clamped);
	sum->key_clamped += clamped;
	if (__sync_val_compare_and_swap(&s->owner, NL_OWNER_ASKED, NL_OWNER_KERNEL) != NL_OWNER_ASKED) {
		sum->stale++;
		return;
	}
	s->wakes++;
	sum->drained++;
}

/* Takes up to `count` decisions; what it refuses it counts. */
SEC("syscall")
int nl_drain(struct nl_drain_args *args)
{
	struct nl_decision taken[DECISION_TAKE] = {};
	struct drained sum = {};
	struct domain_state *ds;
	struct nl_domain __arena *dom;
	__u32 turn, i, left = args->count;
	__u64 start, clock_ns;

	use_arena();
	if (args->domain >= nr_domains)
		return -NL_EINVAL;
	ds = domain_state(args->domain);
	dom = domain_of(ds);
	clock_ns = dom->clock_ns;
	start = bpf_ktime_get_ns();
	bpf_for(turn, 0, args->count) {
		__u32 n = decision_ring_take(ds, dom, taken, left);

		left -= n;
		if (!n && (!left || decision_ring_empty(ds, dom)))
			break;
		bpf_for(i, 0, n)
			drain_one(&sum, &taken[i & (DECISION_TAKE - 1)], args->domain, clock_ns);
	}
	args->elapsed_ns = bpf_ktime_get_ns() - start;
	barrier();
	ds->scratch = (__u32)sum.sink;
	args->drained = sum.drained;
	args->stale = sum.stale;
	args->dead_slot = sum.dead_slot;
	args->bad_cpu = sum.bad_cpu;
	args->slice_clamped = sum.slice_clamped;
	args->key_clamped = sum.key_clamped;
	return 0;
}

/* Puts `count` records as a callback would: pids first_slot and so on, ran_ns counting from 1. args->pushed says how
 * many. */
SEC("syscall")
int nl_feed_records(struct nl_feed_args *args)
{
	__u32 i;

	args->pushed = 0;
	if (!recording.serial)
		return 0;
	bpf_for(i, 0, args->count) {
		struct nl_record record = {
			.at_ns = bpf_ktime_get_ns() - epoch_ns,
			.pid = args->first_slot + i,
			.cpu = bpf_get_smp_processor_id(),
			.kind = NL_RECORD_RAN,
			.weight = WEIGHT_DEFAULT,
			.ran_ns = i + 1,
		};

		record_put(&record);
	}
	args->pushed = args->count;
	return 0;
}

/* Looks at the decision ring before a ping is given up; some 20 ms. */
#define PING_LOOKS (1 << 23)

/* Takes decisions until the one for this wait of this slot; others answer pings that were given up. */
static __always_inline bool await_decision(struct domain_state *ds, struct nl_domain __arena *dom, __u32 slot,
					   __u32 enq)
{
	struct nl_decision dec;
	__u32 look;

	bpf_for(look, 0, PING_LOOKS) {
		if (decision_ring_take(ds, dom, &dec, 1) && dec.slot == slot && dec.enq == enq)
			return true;
	}
	return false;
}

/*
 * Pushes `count` tasks one after another, each when the decision for the one before has come, and adds each round
 * trip to this CPU's histogram NL_HIST_ASK. One thread only. args->pushed is how many came back; it stops at the
 * first that does not.
 */
SEC("syscall")
int nl_ping(struct nl_feed_args *args)
{
	struct domain_state *ds;
	struct nl_domain __arena *dom;
	__u32 i, answered = 0, n = args->nr_slots, base = args->first_slot, slot = 0;
	__u64 start, now;

	use_arena();
	if (args->domain >= nr_domains || !n || base + n > nr_slots)
		return -NL_EINVAL;
	ds = domain_state(args->domain);
	dom = domain_of(ds);
	start = bpf_ktime_get_ns();
	bpf_for(i, 0, args->count) {
		struct nl_slot __arena *s = slot_at((base + slot) & (NL_MAX_SLOTS - 1));
		__u32 enq = s->enq + 1;
		__u64 sent = bpf_ktime_get_ns();

		s->enq = enq;
		s->owner = NL_OWNER_ASKED;
		if (!task_ring_push(ds, dom, base + slot, enq, s->generation, NL_TASK_WAKEUP) ||
		    !await_decision(ds, dom, base + slot, enq))
			break;
		hist_add(NL_HIST_ASK, bpf_ktime_get_ns() - sent);
		s->owner = NL_OWNER_KERNEL;
		answered++;
		slot = slot + 1 < n ? slot + 1 : 0;
	}
	now = bpf_ktime_get_ns();
	args->elapsed_ns = now - start;
	args->pushed = answered;
	args->ring_full = 0;
	return 0;
}
