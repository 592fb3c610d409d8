/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * abi.h: the shared memory between the kernel side (BPF) and the workers (TypeScript).
 *
 * This header is the only place where the layout is written. The TypeScript offsets in
 * src/shm/layout.generated.ts are made from the compiled object's BTF, and an object whose layout hash differs
 * from the one TypeScript was built for is refused at load.
 *
 * Everything lies in one BPF arena, mapped into the process once. Positions are byte offsets from the start of
 * the arena ("_off"), valid on both sides. Times are nanoseconds since nl_header.epoch_ns unless the name says
 * otherwise. Who writes a field is said at the field's group; nobody else may.
 *
 * The process can write every byte here, so the kernel side trusts none of it: indices are masked or checked,
 * CPU numbers and slots are compared with private state, and a wrong value costs order, never the scheduler.
 */
#ifndef NODELAND_ABI_H
#define NODELAND_ABI_H

enum nl_limit {
	NL_ABI_MAGIC = 0x6e6c6e64, /* "nlnd" */
	NL_MAX_CPUS = 1024,
	NL_MAX_DOMAINS = 64,
	NL_MAX_SLOTS = 65536,
	NL_COMM_LEN = 16,
	NL_PAGE_SIZE = 4096,
	NL_RING_MARGIN = NL_MAX_CPUS, /* task ring places kept free: one push in flight per CPU */
	NL_HIST_BUCKETS = 128, /* 4 buckets per power of two of nanoseconds */
	NL_HIST_SUB_BITS = 2,
	NL_WORKER_STATS = 16,
	NL_NO_SLOT = 0xffffffff,
	NL_CPU_ANY = 0xffff, /* decision: any CPU of the domain */
	NL_SLICE_MIN_US = 100,
	NL_SLICE_MAX_US = 100000,
	NL_EXIT_REASON_LEN = 128,
	NL_EXIT_MSG_LEN = 1024,
	NL_EXIT_DUMP_LEN = 32768,
	NL_RECORD_RINGS = 8, /* ring buffers a recording is split over, by domain */
};

/* Who holds a task (nl_slot.owner). Written by BPF. */
enum nl_owner {
	NL_OWNER_FREE = 0, /* the slot has no task */
	NL_OWNER_KERNEL, /* sleeping, running, or queued in the kernel */
	NL_OWNER_ASKED, /* in the task ring, or taken by the worker, not yet decided */
	NL_OWNER_DECIDED, /* a decision was applied, waiting for its CPU */
};

/* What a domain is doing (nl_domain.state). Written by BPF. */
enum nl_domain_state {
	NL_DOMAIN_ABSENT = 0, /* no worker yet, or its worker is gone: scheduled in the kernel */
	NL_DOMAIN_ACTIVE,
	NL_DOMAIN_FALLBACK, /* the worker is stalled: scheduled in the kernel until it moves */
};

/* nl_domain.worker_state. Written by the worker. */
enum nl_worker_state {
	NL_WORKER_ABSENT = 0,
	NL_WORKER_READY, /* between batches: nothing held */
	NL_WORKER_BUSY, /* inside a batch: taken tasks may not be decided yet */
	NL_WORKER_STOPPING,
};

enum nl_wait_mode {
	NL_WAIT_PARK = 0, /* yield; the kernel side keeps the worker queued until it has work */
	NL_WAIT_SPIN, /* never leaves its CPU */
	NL_WAIT_POLL, /* blocks on the doorbell ring buffer's fd */
};

/*
 * What happened, counted per domain. The names (without NL_CNT_, in lower case) are the names in TypeScript,
 * statistics and documentation.
 */
enum nl_counter {
	/* how tasks got their CPU */
	NL_CNT_IDLE, /* an idle CPU, at once, in the kernel */
	NL_CNT_STANDING, /* woken under a standing order */
	NL_CNT_ASKED, /* handed to the worker */
	NL_CNT_DECIDED, /* a worker's decision was applied */
	/* in-kernel ways, each with its reason */
	NL_CNT_KTHREAD, /* kernel threads */
	NL_CNT_OWN, /* threads of the scheduler's own process */
	NL_CNT_BOUND, /* user tasks bound to one CPU, or migration disabled */
	NL_CNT_RESUMED, /* preempted with slice left: queued again with the rest of it */
	NL_CNT_EXITING, /* tasks on their way out */
	NL_CNT_NO_SLOT, /* slot table full */
	NL_CNT_ABSENT, /* domain without a worker */
	NL_CNT_FALLBACK, /* domain in stall fallback */
	NL_CNT_RING_FULL, /* task ring full */
	NL_CNT_REFILL, /* slice ended, nobody waiting: refilled without asking */
	NL_CNT_PULLED, /* taken from another domain's queue by a CPU about to idle */
	NL_CNT_MOVED, /* sent to another domain by the balancer, when it was queued next */
	NL_CNT_RESCUED, /* not decided within stall_ms, or held by a stalled worker: queued by the kernel side */
	NL_CNT_HANDED, /* decided by another domain's worker than was asked */
	/* decisions refused or corrected */
	NL_CNT_STALE, /* decision for an earlier enqueue of the task */
	NL_CNT_DEAD_SLOT, /* slot number out of range, free, or of another generation */
	NL_CNT_GONE, /* the task exited meanwhile */
	NL_CNT_BAD_CPU, /* CPU out of range, offline or in another domain: any CPU of the domain instead */
	NL_CNT_AFFINITY, /* CPU not allowed for the task: any CPU of the domain instead */
	NL_CNT_SLICE_CLAMPED, /* slice outside NL_SLICE_MIN_US..NL_SLICE_MAX_US */
	NL_CNT_KEY_CLAMPED, /* key further than 10 s from the domain's clock */
	NL_CNT_FOREIGN, /* decided by a domain on none of whose CPUs the task may run: queued where it was asked */
	/* events */
	NL_CNT_PREEMPTIONS, /* CPUs kicked to run an earlier deadline */
	NL_CNT_EXTENDED, /* tasks that lost their CPU in a critical section and were given a little longer */
	NL_CNT_WORKER_RUNS, /* times the worker got its CPU */
	NL_CNT_WORKER_KICKS, /* times a parked worker's CPU was kicked */
	NL_CNT_FALLBACK_ENTER,
	NL_CNT_FALLBACK_LEAVE,
	NL_CNT_FALLBACK_US, /* microseconds spent in fallback, added when it ends */
	NL_CNT_DISPATCHES, /* entries into dispatch() */
	NL_CNT_EVENTS, /* events told to the worker */
	NL_CNT_EVENTS_LOST, /* the task ring was full: the worker was not told */
	NL_NR_COUNTERS,
};

/* Histograms kept per CPU, in log-linear buckets (NL_HIST_SUB_BITS). */
enum nl_hist {
	NL_HIST_WAIT, /* enqueue to running, every task that was not handed an idle CPU */
	NL_HIST_WAKE, /* wake-up to running, every waking task */
	NL_HIST_ASK, /* enqueue to decision applied */
	NL_HIST_WORKER_WAKE, /* kick of a parked worker to its running */
	NL_HIST_WORKER_RUN, /* how long a worker kept its CPU */
	NL_NR_HISTS,
};

/* Task ring entry: 16 bytes. seq == position + 1 when the entry is committed. */
struct nl_task_entry {
	__u32 seq;
	__u32 slot; /* slot number */
	__u32 enq; /* nl_slot.enq at this enqueue: names this very wait */
	__u16 generation;
	__u8 flags; /* enum nl_task_flag */
	__u8 kind; /* enum nl_event */
};

/*
 * What an entry of the task ring tells. All but asks come only if the worker wants them (nl_domain.events, a bit for
 * each kind), and may be lost when the ring is full.
 */
enum nl_event {
	NL_EVENT_ASK = 0, /* a task wants a CPU */
	NL_EVENT_DEQUEUE, /* a task waits no longer (its affinity or class changed, it is traced, it exits): enq is the
			     wait's */
	NL_EVENT_EXIT, /* its slot is free from now on */
	NL_EVENT_RUNNING, /* it got a CPU: enq is the CPU */
	NL_EVENT_STOPPING, /* it left its CPU: enq is the CPU */
	NL_EVENT_WEIGHT,
	NL_EVENT_AFFINITY,
	NL_EVENT_CPU_ONLINE, /* slot is the CPU */
	NL_EVENT_CPU_OFFLINE,
	NL_NR_EVENTS,
};

enum nl_task_flag {
	NL_TASK_WAKEUP = 1, /* it woke; otherwise its slice ended or it is new */
	NL_TASK_NEW = 2, /* never decided before */
	NL_TASK_ORDER_ENDED = 4, /* its standing order ran out */
	NL_TASK_SYNC = 8, /* the waker is about to sleep */
};

/* Decision ring entry: 32 bytes. */
struct nl_decision {
	__u32 slot;
	__u32 enq;
	__u16 generation;
	__u16 cpu; /* a CPU of the domain, or NL_CPU_ANY */
	__u32 slice_us; /* 0: the default slice */
	__u32 key_lo; /* order in the domain's queue: nanoseconds of its virtual clock, earliest first */
	__u32 key_hi;
	__u32 flags; /* enum nl_decision_flag */
	__u32 seq; /* position + 1 once the entry is written */
};

enum nl_decision_flag {
	NL_DECISION_PREEMPT = 1, /* preempt a later deadline */
	NL_DECISION_KEEP_KEY =
		2, /* preempted within its slice, it waits under the same key; else the key has moved on */
	NL_DECISION_NEAR =
		4, /* cpu is where the search for an idle CPU begins; the task may run on any of the domain */
	NL_DECISION_KICK = 8, /* about no task: cpu looks for work; with NL_DECISION_PREEMPT at once: what runs has had
				 its slice */
	NL_DECISION_WAKE_WORKER = 16, /* about no task: the worker of domain `slot` has something in its inbox */
	NL_DECISION_RUN_OUT = 32, /* it runs its slice out: an earlier deadline that waits is no reason to stop it */
};

/*
 * Standing order: what the kernel side does when the task wakes, without asking. Written by the worker while it
 * holds the task; `serial` last. Values outside their ranges are clamped by the reader.
 */
struct nl_order {
	__u32 serial; /* changes with every order; 0: none */
	__u32 wakes; /* valid for so many wake-ups */
	__u32 expires_ms; /* and until this time (ms since epoch) */
	__u32 flags; /* enum nl_order_flag */
	__u32 lag_us; /* on wake: vtime at least the domain clock less this */
	__u32 offset_us; /* added to the deadline */
	__u32 exec_cap_us; /* deadline = vtime + min(weighted execution since wake, this) */
	__u32 slice_us;
	__u16 cpu; /* this CPU, or NL_CPU_ANY */
	__u16 reserved16;
	__u32 reserved[7];
};

enum nl_order_flag {
	NL_ORDER_PREEMPT = 1, /* may preempt a later deadline */
};

enum nl_slot_flag {
	NL_SLOT_KTHREAD = 1,
	NL_SLOT_BOUND = 2, /* may run on one CPU only */
	NL_SLOT_OWN = 4, /* a thread of the scheduler's own process */
};

/* One task: four cache lines. */
struct nl_slot {
	/* identity, written by BPF at init_task and when it changes */
	__u32 generation; /* 16 bits used; changes when the slot gets another task */
	__u32 pid;
	__u32 tgid;
	__u32 weight; /* 1..10000, 100 is nice 0 */
	__u8 comm[NL_COMM_LEN];
	__u64 cgroup_id;
	__u64 allowed_domains; /* bit d: may run on a CPU of domain d */
	__u32 flags; /* enum nl_slot_flag */
	__u32 numa_node; /* the one node its memory policy names, or 0xffffffff */
	__u32 uid;
	__s32 nice;

	/* accounting, written by BPF when it asks */
	__u64 vtime_ns; /* weighted execution time in the domain's clock, lag already bounded */
	__u64 exec_since_wake_ns;
	__u64 exec_since_decision_ns;
	__u64 started_ns; /* last time it began to run */
	__u64 stopped_ns; /* last time it stopped running */
	__u64 enqueued_ns;
	__u64 woken_ns;
	__u64 sleep_ns; /* length of its last sleep */

	/* state, written by BPF */
	__u32 owner; /* enum nl_owner */
	__u32 domain; /* that asked, or in which it ran last */
	__u32 cpu; /* where it ran last */
	__u32 enq; /* enqueue count, never reset while the table lives */
	__u32 wakes; /* wake-ups since the last decision */
	__u32 identity; /* changes with comm, uid, nice, weight or cgroup */
	__u64 runnable_ns; /* how long it has been runnable (running or waiting) in all, less since runnable_since_ns */
	__u64 runnable_since_ns; /* 0: it sleeps */
	__u32 state_reserved[5];

	/* written by the main thread */
	__u32 target; /* serial << 8 | domain + 1: where it is to be queued next, once for each value; 0: nowhere */

	/* written by the worker that holds the task */
	struct nl_order order;
};

/* One CPU. Written by BPF, mostly by that CPU itself. */
struct nl_cpu {
	__u32 domain;
	__u32 online;
	__u32 slot; /* running task's slot, NL_NO_SLOT when idle or not a slot's task */
	__u32 idle;
	__u64 since_ns; /* when the running task began */
	__u64 key_ns; /* its deadline then */
	__u64 kicked_ns; /* last time it was told to preempt what runs */
	__u32 weight;
	__u32 preemptible; /* what runs gives way to an earlier deadline */
	__u32 reserved[4];
	__u32 moved_from[NL_MAX_DOMAINS]; /* user tasks that began to run here and ran last in another domain, by that
					   */
	__u64 counters[NL_NR_COUNTERS]; /* for events of this CPU's own domain */
	__u32 hist[NL_NR_HISTS][NL_HIST_BUCKETS];
};

/* What a worker reports about itself (index into nl_domain.worker_stats, 64-bit). Written by the worker. */
enum nl_worker_stat {
	NL_WSTAT_LOOPS,
	NL_WSTAT_TAKEN,
	NL_WSTAT_PUBLISHED,
	NL_WSTAT_DECISION_RING_FULL, /* times it had to wait for room */
	NL_WSTAT_MAX_BATCH,
	NL_WSTAT_POLICY_ERRORS,
	NL_NR_WSTATS,
};

/* One domain. Groups lie 128 bytes apart because the adjacent line is prefetched with each. */
struct nl_domain {
	/* fixed at set-up */
	__u32 id;
	__u32 node;
	__u32 nr_cpus;
	__u32 task_ring_off;
	__u32 task_ring_size; /* entries, power of two */
	__u32 decision_ring_off;
	__u32 decision_ring_size; /* entries, power of two */
	__u32 worker_cpu;
	__u32 fixed_reserved[24];

	/* written by BPF */
	__u64 clock_ns; /* the domain's virtual clock */
	__u32 state; /* enum nl_domain_state */
	__u32 worker_tid;
	__u32 parked; /* the worker waits in the kernel */
	__u32 nr_idle; /* idle CPUs */
	__u32 ticks; /* moves every tick_ms */
	__u32 state_reserved[25];

	/* written by the worker */
	__u32 progress; /* moves with every batch and every wait */
	__u32 worker_state; /* enum nl_worker_state */
	__u32 wait_mode; /* enum nl_wait_mode */
	__u32 events; /* 1 << enum nl_event for each kind wanted */
	__u32 tick_ms; /* the worker is to run this often at least, 0: it need not */
	__u32 worker_reserved[27];

	__u32 task_tail; /* BPF, atomic: places handed to producers */
	__u32 task_head_seen; /* BPF: task_head as a producer last read it */
	__u32 task_tail_reserved[30];
	__u32 task_head; /* worker: places read */
	__u32 task_head_reserved[31];
	__u32 decision_tail; /* worker: places written; entries tell their readers themselves */
	__u32 decision_tail_reserved[31];
	__u32 decision_head; /* BPF, atomic: places taken */
	__u32 decision_head_reserved[31];

	/* written by anybody: asks a parked worker to look (mailboxes, stop) */
	__u32 wake_request;
	__u32 wake_reserved[31];

	__u64 worker_stats[NL_WORKER_STATS];
	__u64 counters[NL_NR_COUNTERS]; /* BPF, atomic: events counted from another domain's CPU */
};

/* The first page. */
struct nl_header {
	/* written once, at set-up */
	__u32 magic;
	__u32 nr_cpus; /* CPU numbers are below this */
	__u32 nr_domains;
	__u32 nr_slots;
	__u32 slots_off; /* struct nl_slot[nr_slots] */
	__u32 cpus_off; /* struct nl_cpu[nr_cpus] */
	__u32 size_bytes; /* of everything used in the arena */
	__u32 own_tgid;
	__u64 epoch_ns; /* CLOCK_MONOTONIC at set-up: zero of all times here */
	__u32 fixed_reserved[22];

	/* written by the main thread */
	__u32 heartbeat;
	__u32 heartbeat_reserved[31];

	/* written by BPF */
	__u32 slots_used;
	__u32 heartbeat_late; /* times the main thread was silent for more than a second */
	__u32 exited; /* the kernel has let go of the scheduler */
	__u32 now_reserved;
	__u64 now_ns; /* the time, every 5 ms */
	__u32 bpf_reserved[26];

	__u32 domain_off[NL_MAX_DOMAINS]; /* struct nl_domain */
};

/* Contexts of the SYSCALL programs that set the memory up (both objects have them). */
struct nl_setup_args {
	__u32 nr_slots;
	__u32 nr_cpus;
	__u32 nr_domains;
	__u32 default_slice_us;
	__u32 stall_ms;
	__u32 heartbeat_limit_ms; /* silence of the main thread after which the scheduler detaches */
	__u32 ask_always;
	__u32 fast_path;
	__u32 steal_us; /* a CPU about to idle takes tasks of other domains that have waited longer than this */
	__u32 extension_us; /* how long a critical section may delay its preemption, 0: not at all */
};

struct nl_domain_args {
	__u32 domain;
	__s32 node; /* NUMA node of its memory, -1: anywhere */
	__u32 task_ring_size;
	__u32 decision_ring_size;
	__u32 worker_cpu;
	__u32 reserved;
	__u8 near[NL_MAX_DOMAINS]; /* the other domains, nearest first */
};

struct nl_cpu_args {
	__u32 cpu;
	__u32 domain;
};

/*
 * Registering is for the worker's own thread, before attach for the first workers. Anybody may take a dead
 * worker's registration back.
 */
struct nl_worker_args {
	__u32 domain;
	__u32 registered; /* 1: register this thread, 0: take it back */
	__u32 tid; /* out: this thread; in, when taking back: whose registration, 0 for this thread's */
};

/* What the exit callback recorded; the one element of the map exit_info. */
struct nl_exit {
	__s64 exit_code;
	__u32 kind; /* 0: still running */
	__u32 reserved;
	char reason[NL_EXIT_REASON_LEN];
	char msg[NL_EXIT_MSG_LEN];
	char dump[NL_EXIT_DUMP_LEN];
};

/*
 * What a task did, for `nodeland record`. Numbers and struct nl_record are the file's as well: whoever changes them
 * changes its version (src/record/format.ts).
 */
enum nl_record_kind {
	NL_RECORD_NONE = 0,
	NL_RECORD_TASK, /* a task is seen for the first time: weight, detail */
	NL_RECORD_FORK, /* a new task, runnable from now on: weight, detail, and as NL_RECORD_WAKE who made it */
	NL_RECORD_COMM, /* its name, in the place of other, weight and ran_ns */
	NL_RECORD_ALLOWED, /* CPUs it may use: bit i of ran_ns is CPU 64 * detail + i, of other such records */
	NL_RECORD_WEIGHT,
	NL_RECORD_WAKE, /* it woke: other woke it, which had run for ran_ns since it woke itself; 0: an interrupt, or a
			   task that is not recorded */
	NL_RECORD_RAN, /* it wants to go on, and has run for ran_ns since it woke */
	NL_RECORD_SLEEP, /* it sleeps, after it ran for ran_ns since it woke */
	NL_RECORD_EXIT, /* the same for good */
	NL_RECORD_END, /* written by the main thread, last: ran_ns records were lost */
};

/* nl_record.detail */
enum nl_record_detail {
	NL_DETAIL_KTHREAD = 1,
	NL_DETAIL_RUNNABLE = 2, /* it runs or waits for a CPU */
	NL_DETAIL_EVERY_CPU = 255, /* NL_RECORD_ALLOWED: all there are */
};

struct nl_record {
	__u64 at_ns; /* CLOCK_MONOTONIC less epoch_ns */
	__u32 pid;
	__u16 cpu;
	__u8 kind; /* enum nl_record_kind */
	__u8 detail; /* enum nl_record_detail */
	__u32 other;
	__u32 weight;
	__u64 ran_ns;
};

/* Begins and ends a recording (SYSCALL program nl_set_recording). */
struct nl_recording_args {
	__u32 serial; /* of the recording, another one each time; 0 ends it */
	__u32 reserved;
	__u64 at_ns; /* out: the time, as in nl_record */
	__u64 lost; /* out: records that found no room, since the last one began */
};

/* Contexts of the loopback object's programs. */
struct nl_feed_args {
	__u32 domain;
	__u32 count; /* tasks to push */
	__u32 first_slot;
	__u32 nr_slots; /* slots first_slot .. first_slot + nr_slots - 1 are used in turn */
	__u32 pushed; /* out */
	__u32 ring_full; /* out */
	__u64 elapsed_ns; /* out */
};

struct nl_drain_args {
	__u32 domain;
	__u32 count; /* decisions to take at most */
	__u32 drained; /* out: valid ones */
	__u32 stale; /* out */
	__u32 dead_slot; /* out */
	__u32 bad_cpu; /* out */
	__u32 slice_clamped; /* out */
	__u32 key_clamped; /* out */
	__u64 elapsed_ns; /* out */
};

#endif
