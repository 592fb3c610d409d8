/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * common.h: what every BPF file here starts with: the arena, private state, and small primitives.
 *
 * Private state (the globals below) is what the kernel side trusts. The arena is what it shares.
 */
#ifndef NODELAND_COMMON_H
#define NODELAND_COMMON_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "abi.h"

#define __arena __attribute__((address_space(1)))

#define NSEC_PER_USEC 1000ULL
#define NSEC_PER_MSEC 1000000ULL
#define NSEC_PER_SEC 1000000000ULL

#define WEIGHT_DEFAULT 100

#define CACHE_LINE 128

#ifndef __arg_trusted
#define __arg_trusted __attribute__((btf_decl_tag("arg:trusted")))
#endif

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1 << 14); /* pages; the loader sets what it needs */
} arena SEC(".maps");

/* A program may use arena pointers only if it names the arena map. */
static __always_inline void use_arena(void)
{
	asm volatile("" ::"r"(&arena));
}

/*
 * The arena's user address has zero low 32 bits, and the kernel uses only those: an offset is a pointer.
 * Any offset is safe to read and write; a page that was never allocated reads as zero.
 */
#define at(type, off) ((type __arena *)(__u64)(__u32)(off))

#define READ_ONCE(x) (*(volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, val) ((*(volatile typeof(x) *)&(x)) = (val))

#define barrier() asm volatile("" ::: "memory")

/*
 * Stores before store_release(p, v) are seen by whoever sees v. x86 keeps stores in order; elsewhere an exchange,
 * which is a full barrier in BPF, stands in for the store-release that BPF has only from 6.15 on.
 */
#if defined(__TARGET_ARCH_x86)
#define store_release(p, v)                                                                                            \
	({                                                                                                             \
		barrier();                                                                                             \
		WRITE_ONCE(*(p), v);                                                                                   \
	})
#define load_acquire(p)                                                                                                \
	({                                                                                                             \
		__u64 __v = READ_ONCE(*(p));                                                                           \
		barrier();                                                                                             \
		__v;                                                                                                   \
	})
#else
#define store_release(p, v) ((void)__sync_lock_test_and_set((p), (v)))
#define load_acquire(p) __sync_fetch_and_add((p), 0)
#endif

/* Orders earlier stores before later loads, on a word nobody else uses. */
#define full_barrier(scratch) ((void)__sync_lock_test_and_set((scratch), 0))

#define after(a, b) ((__s64)((__u64)(b) - (__u64)(a)) < 0)

/*
 * What the kernel side knows of a domain, by how often it is written, each group in cache lines of its own: at set-up,
 * when something changes, with every wake-up of the worker.
 */
struct domain_state {
	__u32 off; /* struct nl_domain */
	__u32 task_ring_off;
	__u32 task_ring_mask;
	__u32 task_ring_room; /* the ring is full when more entries than this are taken */
	__u32 decision_ring_off;
	__u32 decision_ring_mask;
	__u32 nr_cpus;
	__u32 first_cpu;
	__s32 node;
	__u8 near[NL_MAX_DOMAINS];

	/* Its policy's last decision had a key that the kernel keeps. */
	__u32 keeps_keys __attribute__((aligned(CACHE_LINE)));
	__u32 worker_tid; /* 0: none registered */
	__u32 worker_cpu;
	__u32 state; /* enum nl_domain_state */
	__u32 last_progress;
	__u32 worker_displaced; /* the worker waits on a CPU of another domain */
	__u32 nr_offline;
	__u32 overdue; /* waits the watch found overdue in this tick */
	__u32 rescue_due; /* rescue_cursor has not come to the table's end */
	__u32 rescue_cursor; /* slots given out to rescuing CPUs */
	__u64 last_move_ns;
	__u64 fallback_since_ns;
	__u64 ticked_ns; /* when nl_domain.ticks moved last */

	__u64 parked_ns __attribute__((aligned(CACHE_LINE)));
	__u64 kicked_ns; /* 0: no kick under way */
	__u64 worker_ran_ns; /* the worker's time on its CPU since another that waits for that CPU last ran */
	__u64 guest_since_ns; /* when it last gave its CPU to a task bound there */
	__u32 worker_due; /* let a parked worker run though its ring is empty */
	__u32 worker_unfinished; /* it did not yield: it computes, and is to go on */
	__u32 scratch;
};

struct domain_state domains[NL_MAX_DOMAINS];

/* What every context switch writes: each CPU's in cache lines of its own (arm64 has some of 128 bytes). */
struct cpu_local {
	__u32 is_ours; /* runs a task of ours */
	__u32 nr_waiting; /* tasks in its own queue, or more */
	__u32 is_taken; /* a task that preempts waits in the kernel's queue of this CPU; under its run queue's lock */
	__u64 closed_until_ns; /* what runs there is not preempted before */
} __attribute__((aligned(CACHE_LINE)));

struct cpu_local cpu_locals[NL_MAX_CPUS];
__u16 cpu_domain[NL_MAX_CPUS];
__u16 cpu_next[NL_MAX_CPUS]; /* next CPU of the same domain, in a circle */
__u8 cpu_planned[NL_MAX_CPUS];
__u8 cpu_offline[NL_MAX_CPUS];
__u8 cpu_evicts[NL_MAX_CPUS]; /* a policy has what runs there stopped */
__u8 cpu_releases[NL_MAX_CPUS]; /* in cpu_release() */
__u64 cpu_away[NL_MAX_CPUS]; /* at the watch's last look: 0, or 1 + when what it last ran of ours began */
__u8 cpu_blocked[NL_MAX_CPUS]; /* offline or away for two looks of the watch */

__u32 nr_cpus, nr_domains, nr_slots;
__u32 slots_off, cpus_off;
__u32 own_tgid;
__u64 epoch_ns;
__u64 default_slice_ns = 20 * NSEC_PER_MSEC;
__u64 stall_ns = 20 * NSEC_PER_MSEC;
__u64 heartbeat_limit_ns = 65 * NSEC_PER_SEC;
__u32 ask_always;
__u32 fast_path = 1;
__u64 steal_ns;
__u64 extension_ns; /* 0: slices are not extended */
__u32 slots_high; /* slots below this have been used */
__u32 attached;
__u32 nr_displaced; /* workers that wait on a CPU of another domain */
__u32 nr_dead; /* domains all of whose CPUs are offline */

static __always_inline struct cpu_local *cpu_local(__u32 cpu)
{
	return &cpu_locals[cpu & (NL_MAX_CPUS - 1)];
}

static __always_inline struct domain_state *domain_state(__u32 d)
{
	return &domains[d & (NL_MAX_DOMAINS - 1)];
}

static __always_inline struct nl_domain __arena *domain_of(struct domain_state *ds)
{
	return at(struct nl_domain, ds->off);
}

static __always_inline __u32 domain_of_cpu(__s32 cpu)
{
	return cpu_domain[(__u32)cpu & (NL_MAX_CPUS - 1)];
}

static __always_inline bool cpu_online(__u32 cpu)
{
	return !cpu_offline[cpu & (NL_MAX_CPUS - 1)];
}

static __always_inline struct nl_cpu __arena *cpu_state(__s32 cpu)
{
	return &at(struct nl_cpu, cpus_off)[(__u32)cpu & (NL_MAX_CPUS - 1)];
}

static __always_inline struct nl_slot __arena *slot_at(__u32 slot)
{
	return &at(struct nl_slot, slots_off)[slot];
}

/*
 * count: adds to a domain's counter. A CPU of the domain counts in its own block without an atomic (callers hold
 * their run queue's lock, so nothing interrupts it); any other CPU adds atomically to the domain's block.
 */
static __always_inline void count(__u32 d, enum nl_counter what)
{
	__u32 cpu = bpf_get_smp_processor_id();

	if (domain_of_cpu(cpu) == d)
		cpu_state(cpu)->counters[what]++;
	else
		__sync_fetch_and_add(&domain_of(domain_state(d))->counters[what], 1);
}

/*
 * A count that begins here is no constant to the verifier: from one, it follows a loop over something else round by
 * round, up to the limit that the count is compared with.
 */
__u32 unknown_zero;

/*
 * The highest set bit's number, 0 to 63; v is not 0. Without a branch, for each doubles what the verifier has to look
 * at. The bits below it are set, and the sum multiplied by a de Bruijn sequence (Leiserson, Prokop and Randall, 1998).
 */
static __always_inline __u32 highest_bit(__u64 v)
{
	static const __u8 number[64] = {
		0,  24, 1,  25, 43, 19, 2,  40, 26, 44, 29, 20, 11, 49, 3,  61, 41, 27, 47, 45, 54, 56,
		30, 21, 37, 58, 12, 15, 50, 32, 4,  62, 23, 42, 18, 39, 28, 10, 48, 60, 46, 53, 55, 36,
		57, 14, 31, 22, 17, 38, 9,  59, 52, 35, 13, 16, 8,  51, 34, 7,	33, 6,	5,  63,
	};

	v |= v >> 1;
	v |= v >> 2;
	v |= v >> 4;
	v |= v >> 8;
	v |= v >> 16;
	v |= v >> 32;
	return number[v * 0x03f37184bd914eadULL >> 58];
}

/* Log-linear bucket of a duration: 2^NL_HIST_SUB_BITS buckets per power of two. */
static __always_inline __u32 hist_bucket(__u64 ns)
{
	__u32 exp;

	if (ns < (1 << NL_HIST_SUB_BITS))
		return ns;
	exp = highest_bit(ns);
	exp = ((exp - NL_HIST_SUB_BITS + 1) << NL_HIST_SUB_BITS) |
	      ((ns >> (exp - NL_HIST_SUB_BITS)) & ((1 << NL_HIST_SUB_BITS) - 1));
	return exp < NL_HIST_BUCKETS ? exp : NL_HIST_BUCKETS - 1;
}

static __always_inline void hist_count(enum nl_hist which, __u32 bucket)
{
	struct nl_cpu __arena *c = cpu_state(bpf_get_smp_processor_id());

	c->hist[which][bucket & (NL_HIST_BUCKETS - 1)]++;
}

static __always_inline void hist_add(enum nl_hist which, __u64 ns)
{
	hist_count(which, hist_bucket(ns));
}

#endif
