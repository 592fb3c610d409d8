/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * setup.h: SYSCALL programs that lay the arena out, in both objects. The main thread runs nl_setup, then
 * nl_setup_domain for each domain in order, then nl_setup_cpu for each CPU in order; each worker's thread runs
 * nl_register_worker. They return 0 or a negative errno.
 */
#ifndef NODELAND_SETUP_H
#define NODELAND_SETUP_H

#include "common.h"

#define NL_EINVAL 22
#define NL_ENOMEM 12
#define NL_EEXIST 17

/* Every type of the contract by value, so that the object's BTF describes them all. */
struct nl_types {
	enum nl_limit limit;
	enum nl_owner owner;
	enum nl_domain_state domain_state;
	enum nl_worker_state worker_state;
	enum nl_wait_mode wait_mode;
	enum nl_counter counter;
	enum nl_hist hist;
	enum nl_worker_stat worker_stat;
	enum nl_task_flag task_flag;
	enum nl_event event;
	enum nl_decision_flag decision_flag;
	enum nl_order_flag order_flag;
	enum nl_slot_flag slot_flag;
	enum nl_record_kind record_kind;
	enum nl_record_detail record_detail;
	struct nl_header header;
	struct nl_domain domain;
	struct nl_cpu cpu;
	struct nl_slot slot;
	struct nl_order order;
	struct nl_task_entry task_entry;
	struct nl_decision decision;
	struct nl_setup_args setup_args;
	struct nl_domain_args domain_args;
	struct nl_cpu_args cpu_args;
	struct nl_worker_args worker_args;
	struct nl_record record;
	struct nl_recording_args recording_args;
	struct nl_feed_args feed_args;
	struct nl_drain_args drain_args;
	struct nl_exit exit;
};

SEC("syscall")
int nl_types(struct nl_types *types)
{
	return types->limit == NL_ABI_MAGIC;
}

__u32 arena_used; /* bytes */

/*
 * arena_pages: bytes rounded up to pages on a NUMA node (-1: anywhere), zeroed, next to what was allocated before.
 * Returns the offset, or 0 when memory or the arena is exhausted (the header takes offset 0 first).
 */
static __always_inline bool arena_pages(__u32 bytes, __s32 node, __u32 *off)
{
	__u32 pages = (bytes + NL_PAGE_SIZE - 1) / NL_PAGE_SIZE;
	void __arena *p = bpf_arena_alloc_pages(&arena, NULL, pages, node, 0);

	if (!p)
		return false;
	*off = (__u32)(__u64)p;
	if (*off + pages * NL_PAGE_SIZE > arena_used)
		arena_used = *off + pages * NL_PAGE_SIZE;
	return true;
}

static __always_inline bool power_of_two(__u32 x)
{
	return x && !(x & (x - 1));
}

SEC("syscall")
int nl_setup(struct nl_setup_args *args)
{
	struct nl_header __arena *h = at(struct nl_header, 0);
	__u32 off;

	use_arena();
	if (arena_used)
		return -NL_EEXIST;
	if (!args->nr_slots || args->nr_slots > NL_MAX_SLOTS || !args->nr_cpus || args->nr_cpus > NL_MAX_CPUS ||
	    !args->nr_domains || args->nr_domains > NL_MAX_DOMAINS)
		return -NL_EINVAL;
	if (!arena_pages(sizeof(struct nl_header), -1, &off) || off != 0)
		return -NL_ENOMEM;
	if (!arena_pages(args->nr_slots * sizeof(struct nl_slot), -1, &slots_off) ||
	    !arena_pages(args->nr_cpus * sizeof(struct nl_cpu), -1, &cpus_off))
		return -NL_ENOMEM;

	nr_cpus = args->nr_cpus;
	nr_domains = args->nr_domains;
	nr_slots = args->nr_slots;
	if (args->default_slice_us)
		default_slice_ns = args->default_slice_us * NSEC_PER_USEC;
	if (args->stall_ms)
		stall_ns = args->stall_ms * NSEC_PER_MSEC;
	if (args->heartbeat_limit_ms)
		heartbeat_limit_ns = args->heartbeat_limit_ms * NSEC_PER_MSEC;
	ask_always = args->ask_always;
	fast_path = args->fast_path;
	steal_ns = args->steal_us * NSEC_PER_USEC;
	extension_ns = args->extension_us * NSEC_PER_USEC;
	own_tgid = bpf_get_current_pid_tgid() >> 32;
	epoch_ns = bpf_ktime_get_ns();

	h->nr_cpus = nr_cpus;
	h->nr_domains = nr_domains;
	h->nr_slots = nr_slots;
	h->slots_off = slots_off;
	h->cpus_off = cpus_off;
	h->own_tgid = own_tgid;
	h->epoch_ns = epoch_ns;
	h->size_bytes = arena_used;
	h->magic = NL_ABI_MAGIC;
	return 0;
}

SEC("syscall")
int nl_setup_domain(struct nl_domain_args *args)
{
	struct nl_header __arena *h = at(struct nl_header, 0);
	struct nl_domain __arena *dom;
	struct domain_state *ds;
	__u32 d = args->domain, off;

	use_arena();
	if (d >= nr_domains || d >= NL_MAX_DOMAINS || !power_of_two(args->task_ring_size) ||
	    !power_of_two(args->decision_ring_size) || args->task_ring_size > (1 << 20) ||
	    args->task_ring_size < 2 * nr_cpus || args->decision_ring_size > (1 << 20) || args->worker_cpu >= nr_cpus)
		return -NL_EINVAL;
	ds = domain_state(d);
	if (ds->off)
		return -NL_EEXIST;
	if (!arena_pages(sizeof(struct nl_domain), args->node, &off) ||
	    !arena_pages(args->task_ring_size * sizeof(struct nl_task_entry), args->node, &ds->task_ring_off) ||
	    !arena_pages(args->decision_ring_size * sizeof(struct nl_decision), args->node, &ds->decision_ring_off))
		return -NL_ENOMEM;
	ds->off = off;
	ds->task_ring_mask = args->task_ring_size - 1;
	ds->task_ring_room = args->task_ring_size - nr_cpus;
	ds->decision_ring_mask = args->decision_ring_size - 1;
	ds->node = args->node;
	ds->worker_cpu = args->worker_cpu;
	__builtin_memcpy(ds->near, args->near, sizeof(ds->near));

	dom = domain_of(ds);
	dom->id = d;
	dom->node = args->node;
	dom->task_ring_off = ds->task_ring_off;
	dom->task_ring_size = args->task_ring_size;
	dom->decision_ring_off = ds->decision_ring_off;
	dom->decision_ring_size = args->decision_ring_size;
	dom->worker_cpu = args->worker_cpu;
	/* Far from zero, so that a key before the clock is still a positive number. */
	dom->clock_ns = 1000 * NSEC_PER_SEC;
	h->domain_off[d] = off;
	h->size_bytes = arena_used;
	return 0;
}

SEC("syscall")
int nl_setup_cpu(struct nl_cpu_args *args)
{
	__u32 cpu = args->cpu, d = args->domain;
	struct domain_state *ds;

	use_arena();
	if (cpu >= nr_cpus || cpu >= NL_MAX_CPUS || d >= nr_domains)
		return -NL_EINVAL;
	ds = domain_state(d);
	if (!ds->off)
		return -NL_EINVAL;
	if (cpu_planned[cpu])
		return -NL_EEXIST;
	cpu_planned[cpu] = 1;
	cpu_domain[cpu] = d;
	if (!ds->nr_cpus) {
		ds->first_cpu = cpu;
		cpu_next[cpu] = cpu;
	} else {
		__u32 first = ds->first_cpu & (NL_MAX_CPUS - 1);

		cpu_next[cpu] = cpu_next[first];
		cpu_next[first] = cpu;
	}
	ds->nr_cpus++;
	domain_of(ds)->nr_cpus = ds->nr_cpus;
	cpu_state(cpu)->domain = d;
	cpu_state(cpu)->online = 1;
	cpu_state(cpu)->slot = NL_NO_SLOT;
	return 0;
}

#endif
