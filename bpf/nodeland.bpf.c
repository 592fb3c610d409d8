// SPDX-License-Identifier: GPL-2.0-only
/*
 * nodeland.bpf.c: the callbacks of the sched_ext class.
 *
 *   wakes up            -> select_cpu: an idle CPU, at once (idle)
 *                       -> enqueue: under its standing order (standing), or in the task ring (asked)
 *   slice ends          -> dispatch: nobody waits: refilled; else enqueue: in the task ring (asked)
 *   worker publishes    -> dispatch of any CPU of the domain: decisions applied, queued by key
 *   CPU looks for work  -> dispatch: its worker if that has work, the earliest of its own and the domain's queue
 */
#include "common.h"
#include "compat.h"
#include "dispatch.h"
#include "events.h"
#include "extend.h"
#include "order.h"
#include "record_task.h"
#include "rescue.h"
#include "rings.h"
#include "setup.h"
#include "share.h"
#include "task.h"
#include "wait.h"
#include "watch.h"
#include "worker.h"

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct nl_exit);
} exit_info SEC(".maps");

/* From here on the domain is scheduled in the kernel; unless another thread is its worker already. */
static __always_inline void worker_gone(u32 d, struct domain_state *ds, u32 tid)
{
	if (ds->worker_tid != tid)
		return;
	ds->worker_tid = 0;
	domain_of(ds)->worker_tid = 0;
	domain_of(ds)->parked = 0;
	set_state(d, ds, NL_DOMAIN_ABSENT);
}

SEC("syscall")
int nl_register_worker(struct nl_worker_args *args)
{
	u32 tid = args->registered || !args->tid ? (u32)bpf_get_current_pid_tgid() : args->tid, value;
	struct task_struct *p = bpf_get_current_task_btf();
	struct nl_domain __arena *dom;
	struct domain_state *ds;
	struct task *tc;

	use_arena();
	if (args->domain >= nr_domains)
		return -NL_EINVAL;
	ds = domain_state(args->domain);
	dom = domain_of(ds);
	args->tid = tid;
	tc = bpf_task_storage_get(&tasks, p, NULL, 0);
	if (args->registered) {
		value = args->domain + 1;
		if (bpf_map_update_elem(&workers, &tid, &value, 0))
			return -NL_ENOMEM;
		if (tc)
			tc->worker = value;
		ds->worker_tid = tid;
		ds->last_progress = dom->progress;
		dom->parked = 0;
		/* One that is started again gets the domain when it moves. */
		if (!attached)
			set_state(args->domain, ds, NL_DOMAIN_ACTIVE);
	} else {
		bpf_map_delete_elem(&workers, &tid);
		if (tc && p->pid == tid)
			tc->worker = 0;
		worker_gone(args->domain, ds, tid);
	}
	dom->worker_tid = ds->worker_tid;
	return 0;
}

/* A thread of ours that computes (a compiler, a collector) shares its CPU in turns of this length. */
#define OWN_SLICE_NS (2 * NSEC_PER_MSEC)

static __always_inline bool is_own(const struct task_struct *p)
{
	return p->tgid == own_tgid;
}

static __always_inline u64 slice_of(const struct task_struct *p)
{
	return is_own(p) && default_slice_ns > OWN_SLICE_NS ? OWN_SLICE_NS : default_slice_ns;
}

/*
 * own_key: for a thread of ours that goes on computing after its first turn. Its execution since it woke counts one
 * turn at most: among tasks that come and go it would wait for seconds. It keeps no more lag than a turn, unless it
 * ends: there are several of them, and whoever else wakes up would wait for what each had saved up.
 */
static __always_inline u64 own_key(struct task_struct *p, struct task *tc, u64 clock)
{
	task_bound_lag(tc, clock, p->flags & PF_EXITING ? default_slice_ns : OWN_SLICE_NS);
	return kernel_key(tc, OWN_SLICE_NS);
}

/* A thread of ours that let another task in runs for so long before it does so again. */
#define OWN_CLOSED_NS (100 * NSEC_PER_USEC)

/*
 * own_runs: what wakes up need not wait for a thread of ours to end its turn, nor that thread for many that wake. Tasks
 * that can run elsewhere rather preempt others, whose deadlines are later. One that ends lets nobody in.
 */
static __always_inline void own_runs(const struct task_struct *p, struct task *tc, struct nl_cpu __arena *c,
				     struct cpu_local *local, u64 clock, u64 t)
{
	c->key_ns = clock + OWN_SLICE_NS;
	if (p->flags & PF_EXITING || p->signal->flags & GROUP_EXIT)
		local->closed_until_ns = t + NSEC_PER_SEC;
	else if (tc->let_in)
		local->closed_until_ns = t + OWN_CLOSED_NS;
	tc->let_in = 0;
}

/*
 * task_runnable: from here on it waits or runs, until it sleeps (task_slept). Called where it gets a CPU or a queue: by
 * select_cpu when it runs at once, else by enqueue; a callback of its own (runnable) would cost a call for each
 * wake-up.
 */
static __always_inline void task_runnable(struct task_struct *p, struct task *tc, u32 d, bool wakeup, u64 t)
{
	task_move(tc, d);
	if (tc->slot != NL_NO_SLOT && !slot_at(tc->slot)->runnable_since_ns)
		slot_at(tc->slot)->runnable_since_ns = t;
	if (!wakeup)
		return;
	task_wakes(tc, domain_of(domain_state(d))->clock_ns, default_slice_ns, t);
	if (recording.serial)
		record_caused(p, NL_RECORD_WAKE);
}

static __always_inline void task_slept(struct task *tc, u64 t)
{
	struct nl_slot __arena *s = slot_at(tc->slot);

	if (tc->slot == NL_NO_SLOT || !s->runnable_since_ns)
		return;
	s->runnable_ns += t - s->runnable_since_ns;
	s->runnable_since_ns = 0;
}

/* In select_cpu only, which names the CPU by what it returns. */
static __always_inline void run_at_once(struct task_struct *p, struct task *tc, s32 cpu, u64 wake_flags)
{
	u64 slice = slice_of(p);

	if (tc) {
		task_runnable(p, tc, domain_of_cpu(cpu), wake_flags & WAKE_TTWU, now_ns());
		give_slice(tc, tc->vtime, slice);
		tc->enqueued = 0;
		tc->begins_turn = 1;
	}
	dsq_insert(p, DSQ_LOCAL, slice, 0);
	count(domain_of_cpu(cpu), NL_CNT_IDLE);
}

SEC("struct_ops/nodeland_select_cpu")
s32 BPF_PROG(nodeland_select_cpu, struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	struct task *tc = task_of(p);
	bool is_idle = false;
	s32 cpu;

	use_arena();
	if (tc)
		tc->sync_wake = !!(wake_flags & WAKE_SYNC);
	if (tc && tc->worker)
		return prev_cpu;
	if (tc && tc->slot != NL_NO_SLOT) {
		s32 chosen = place_wakeup(p, tc, prev_cpu);

		if (chosen >= 0) {
			cpu = chosen & ~PLACED_IDLE;
			if (chosen & PLACED_IDLE)
				run_at_once(p, tc, cpu, wake_flags);
			return cpu;
		}
	}
	if (!fast_path && !is_own(p) && !(p->flags & PF_KTHREAD))
		return prev_cpu;
	cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &is_idle);
	if (is_idle)
		run_at_once(p, tc, cpu, wake_flags);
	return cpu;
}

/* ask: hands the task to its domain's worker. False when the ring is full. */
static __always_inline bool ask(struct task_struct *p, struct task *tc, u32 d, struct domain_state *ds,
				struct nl_domain __arena *dom, s32 cpu, u64 enq_flags, bool order_ended)
{
	struct nl_slot __arena *s = slot_at(tc->slot);
	u32 enq = tc->enq;
	u8 flags = 0;

	if (enq_flags & ENQ_WAKEUP)
		flags |= NL_TASK_WAKEUP;
	if (!tc->decided_once)
		flags |= NL_TASK_NEW;
	if (order_ended)
		flags |= NL_TASK_ORDER_ENDED;
	if (tc->sync_wake)
		flags |= NL_TASK_SYNC;
	s->vtime_ns = tc->vtime;
	s->exec_since_wake_ns = tc->exec_since_wake;
	s->exec_since_decision_ns = tc->exec_since_decision;
	s->started_ns = tc->started;
	s->stopped_ns = tc->stopped;
	s->enqueued_ns = tc->enqueued;
	s->woken_ns = tc->woken;
	s->sleep_ns = tc->slept;
	s->domain = d;
	s->cpu = cpu;
	s->enq = enq;
	s->wakes = tc->wakes;
	s->owner = NL_OWNER_ASKED;
	slot_write_comm(p, s);
	slot_write_node(p, s);
	/* A thread that calls execve() takes the pid of its process's first thread. */
	if (slot_task(tc->slot)->pid != p->pid) {
		slot_task(tc->slot)->pid = p->pid;
		s->pid = p->pid;
	}
	wait_open(tc->slot, enq, d, tc->enqueued);
	if (!task_ring_push(ds, dom, tc->slot, enq, tc->generation, flags)) {
		/* A rescue may have claimed it already, and insert it later: not for the wait to come. */
		next_enq(tc);
		wait_close(tc->slot);
		s->owner = NL_OWNER_KERNEL;
		count(d, NL_CNT_RING_FULL);
		return false;
	}
	count(d, NL_CNT_ASKED);
	worker_wake(d, ds, dom, tc->enqueued);
	return true;
}

/* enqueue_kernel: queued by vtime without asking, for the reason given. */
static __always_inline void enqueue_kernel(struct task_struct *p, struct task *tc, u32 d, struct domain_state *ds,
					   s32 cpu, u64 t, enum nl_counter why)
{
	u64 key = undecided_key(ds, tc);

	count(d, why);
	queue_domain(p, tc, d, key, default_slice_ns);
	if (!call_kick_idle(p, d, cpu) && tc->woken && !tc->sync_wake)
		call_kick_later(p, d, cpu, key, t);
}

/*
 * take_cpu: gives p, which wakes up, the CPU on whose run queue it is and which runs this, if it comes before what runs
 * there and all that wait. It is where dispatch() would take it; but a kick is an interrupt that this CPU sends itself
 * first. False: nothing was done. Not twice before the first of them runs: the later would be the first. Critical
 * sections are dispatch()'s to extend.
 */
static __always_inline bool take_cpu(struct task_struct *p, struct task *tc, u32 d, struct domain_state *ds,
				     struct nl_domain __arena *dom, s32 cpu, u64 key, u64 t)
{
	struct cpu_local *local = cpu_local(cpu);

	if (cpu != bpf_get_smp_processor_id() || local->is_taken || !comes_before(key, cpu, cpu_state(cpu), t) ||
	    (cpu == ds->worker_cpu && worker_has_work(ds, dom)))
		return false;
	if ((nr_waiting(cpu) && !all_later(DSQ_CPU(cpu), key)) || !all_later(DSQ_DOMAIN(d), key))
		return false;
	if (extension_ns && requests_extension())
		return false;
	local->is_taken = 1;
	give_slice(tc, key, default_slice_ns);
	count(d, NL_CNT_PREEMPTIONS);
	dsq_insert(p, DSQ_LOCAL, default_slice_ns, ENQ_PREEMPT);
	return true;
}

SEC("struct_ops/nodeland_enqueue")
void BPF_PROG(nodeland_enqueue, struct task_struct *p, u64 enq_flags)
{
	s32 cpu = scx_bpf_task_cpu(p);
	u32 d = domain_of_cpu(cpu);
	struct domain_state *ds = domain_state(d);
	struct nl_domain __arena *dom = domain_of(ds);
	struct task *tc = task_of(p);
	u64 t = now_ns(), key, lag, rest, clock = dom->clock_ns;
	struct order o;
	bool wakeup = enq_flags & ENQ_WAKEUP, yielded, first, begins;

	use_arena();
	if (!tc) {
		count(d, NL_CNT_NO_SLOT);
		dsq_insert_vtime(p, DSQ_DOMAIN(d), default_slice_ns, clock);
		call_kick_idle(p, d, cpu);
		return;
	}
	left_queue(tc);
	if (tc->worker) {
		worker_enqueue(p, tc, cpu, enq_flags, t);
		return;
	}
	tc->enqueued = t;
	next_enq(tc);
	yielded = tc->yielded;
	tc->yielded = 0;
	tc->extended = 0;
	first = tc->goes_first;
	tc->goes_first = 0;
	begins = tc->begins_turn;
	tc->begins_turn = 1;
	if (target_is_new(tc)) {
		u32 to = target_take(p, d);

		if (to != d) {
			d = to;
			ds = domain_state(d);
			dom = domain_of(ds);
			clock = dom->clock_ns;
			cpu = ds->first_cpu;
		}
	}
	task_runnable(p, tc, d, wakeup, t);
	/* Stopped before its slice was over. */
	rest = wakeup || yielded ? 0 : slice_rest(tc);

	/*
	 * Threads of ours: at once when they wake, since a worker may wait for them; then by what they have had. One
	 * that let another in goes on with its turn before all that woke after it: a turn lasts to the next tick, and
	 * what waits on this CPU would wait for several of them one after another.
	 */
	if (is_own(p)) {
		count(d, NL_CNT_OWN);
		if (wakeup) {
			queue_cpu(p, tc, cpu, clock - NSEC_PER_SEC, OWN_SLICE_NS);
			tc->key = clock - default_slice_ns;
			kick(cpu, KICK_PREEMPT);
		} else if (rest) {
			queue_cpu(p, tc, cpu, tc->key, rest);
			tc->let_in = 1;
		} else {
			queue_cpu(p, tc, cpu, own_key(p, tc, clock), OWN_SLICE_NS);
		}
		return;
	}
	if (p->flags & PF_KTHREAD) {
		count(d, NL_CNT_KTHREAD);
		if (p->nr_cpus_allowed == 1 || migration_disabled(p)) {
			give_slice(tc, clock - default_slice_ns, default_slice_ns);
			dsq_insert(p, DSQ_LOCAL, default_slice_ns, 0);
			if (wakeup)
				kick(cpu, KICK_PREEMPT);
			return;
		}
		task_bound_lag(tc, clock, default_slice_ns);
		key = wakeup ? clock - default_slice_ns : tc->vtime;
		queue_domain(p, tc, d, key, default_slice_ns);
		if (!call_kick_idle(p, d, cpu) && wakeup)
			call_kick_later(p, d, cpu, key, t);
		return;
	}
	/*
	 * Wake-ups have been bounded. A task that never sleeps is owed all that its weight promises, however late it
	 * comes; but its key lies no more than a slice before the clock, or it would pass those that wake, who were
	 * bounded to that.
	 */
	if (!wakeup) {
		lag = weighted_exec(tc) + default_slice_ns;
		task_bound_lag(tc, clock, lag < LAG_MAX_NS ? lag : LAG_MAX_NS);
	}

	if (p->nr_cpus_allowed == 1 || migration_disabled(p)) {
		/* select_cpu is never called for these: their idle CPU is found here. */
		if (wakeup && fast_path && scx_bpf_test_and_clear_cpu_idle(cpu)) {
			count(d, NL_CNT_IDLE);
			give_slice(tc, tc->vtime, default_slice_ns);
			dsq_insert(p, DSQ_LOCAL, default_slice_ns, 0);
			return;
		}
		count(d, NL_CNT_BOUND);
		key = undecided_key(ds, tc);
		if (wakeup && take_cpu(p, tc, d, ds, dom, cpu, key, t))
			return;
		queue_cpu(p, tc, cpu, key, rest ?: default_slice_ns);
		if (wakeup) {
			struct nl_cpu __arena *c = cpu_state(cpu);

			if (!c->preemptible) {
				kick(cpu, KICK_IDLE);
			} else if (comes_before(key, cpu, c, t)) {
				count(d, NL_CNT_PREEMPTIONS);
				kick(cpu, KICK_PREEMPT);
			}
		}
		return;
	}
	/* Preempted before its slice was over: it goes on with the rest. */
	if (rest) {
		count(d, NL_CNT_RESUMED);
		key = tc->keeps_key ? tc->key : undecided_key(ds, tc);
		queue_domain(p, tc, d, first ? clock - NSEC_PER_SEC : key, rest);
		/* It waits before all others, and runs under its own deadline. */
		tc->key = key;
		tc->begins_turn = begins;
		call_kick_idle(p, d, cpu);
		return;
	}
	if (p->flags & PF_EXITING) {
		enqueue_kernel(p, tc, d, ds, cpu, t, NL_CNT_EXITING);
		return;
	}
	if (tc->slot == NL_NO_SLOT) {
		enqueue_kernel(p, tc, d, ds, cpu, t, NL_CNT_NO_SLOT);
		return;
	}
	if (wakeup && !ask_always && order_take(tc, slot_at(tc->slot), t, &o)) {
		task_bound_lag(tc, clock, o.lag);
		key = kernel_key(tc, o.cap) + o.offset;
		count(d, NL_CNT_STANDING);
		tc->grant = o.slice;
		if (o.cpu != NL_CPU_ANY && o.cpu < nr_cpus && domain_of_cpu(o.cpu) == d && cpu_online(o.cpu) &&
		    bpf_cpumask_test_cpu(o.cpu, p->cpus_ptr)) {
			queue_cpu(p, tc, o.cpu, key, o.slice);
			kick(o.cpu, KICK_IDLE);
			return;
		}
		queue_domain(p, tc, d, key, o.slice);
		/* A waker that is about to sleep leaves its CPU by itself. */
		if (!call_kick_idle(p, d, cpu) && (o.flags & NL_ORDER_PREEMPT) && !tc->sync_wake)
			call_kick_later(p, d, cpu, key, t);
		return;
	}
	if (ds->state != NL_DOMAIN_ACTIVE) {
		enqueue_kernel(p, tc, d, ds, cpu, t, ds->state == NL_DOMAIN_FALLBACK ? NL_CNT_FALLBACK : NL_CNT_ABSENT);
		return;
	}
	if (!ask(p, tc, d, ds, dom, cpu, enq_flags, wakeup && tc->order_serial)) {
		queue_domain(p, tc, d, undecided_key(ds, tc), default_slice_ns);
		call_kick_idle(p, d, cpu);
	}
}

SEC("struct_ops/nodeland_dequeue")
void BPF_PROG(nodeland_dequeue, struct task_struct *p, u64 deq_flags)
{
	struct task *tc = task_of(p);
	u32 enq;

	use_arena();
	if (!tc)
		return;
	left_queue(tc);
	if (tc->slot == NL_NO_SLOT)
		return;
	enq = tc->enq;
	/* A decision that was claimed before, and is inserted only now, must not count for the wait to come. */
	next_enq(tc);
	if (wait_close(tc->slot)) {
		slot_at(tc->slot)->owner = NL_OWNER_KERNEL;
		tell_task(tc, NL_EVENT_DEQUEUE, enq);
	}
}

SEC("struct_ops/nodeland_dispatch")
void BPF_PROG(nodeland_dispatch, s32 cpu, struct task_struct *prev)
{
	u32 d = domain_of_cpu(cpu);
	struct domain_state *ds = domain_state(d);
	struct nl_domain __arena *dom = domain_of(ds);
	struct task *tc;
	bool fresh;

	use_arena();
	count(d, NL_CNT_DISPATCHES);
	fresh = drain_decisions(d);
	if (READ_ONCE(ds->rescue_due))
		rescue(d);
	if (READ_ONCE(nr_dead) && inherit())
		return;
	if (READ_ONCE(nr_displaced) && take_displaced_worker(cpu))
		return;

	/* One that no longer wants its CPU is none to go on. */
	tc = prev && (prev->scx.flags & 1 /* SCX_TASK_QUEUED */) ? task_of(prev) : NULL;
	if (cpu == ds->worker_cpu && worker_has_work(ds, dom)) {
		bool runs = tc && tc->worker;
		u64 t = now_ns();

		if (worker_owes_turn(d, ds, dom, cpu, runs ? t - tc->started : 0) &&
		    (ds->state == NL_DOMAIN_ACTIVE ? dsq_move_to_local(DSQ_CPU(cpu)) : take_earliest(d, cpu))) {
			ds->guest_since_ns = t;
			ds->worker_ran_ns = 0;
			return;
		}
		if (runs) {
			/* It has only let us in to look at its decisions. */
			set_slice(prev, WORKER_SLICE_NS);
			tc->yielded = 0;
		}
		if (runs || dsq_move_to_local(DSQ_WORKER(d))) {
			ds->worker_due = 0;
			dom->wake_request = 0;
			if (!runs && prev)
				extension_owed(prev, tc);
			return;
		}
	}
	if (prev && extension_granted(prev, tc, d, cpu, fresh)) {
		set_slice(prev, extension_ns);
		return;
	}
	if (take_earliest(d, cpu))
		return;
	if (prev && tc && !tc->worker) {
		u64 next = tc->grant ?: slice_of(prev);

		if (tc->slice_used >= tc->slice || !prev->scx.slice) {
			tc->slice += next;
			tc->begins_turn = 1;
			count(d, NL_CNT_REFILL);
		}
		set_slice(prev, next);
		/* Nobody waited: a yield has been heard, and the next one to wait may be kept waiting. */
		tc->yielded = 0;
		tc->extended = 0;
		return;
	}
	if (nr_domains > 1)
		pull(d, cpu);
}

/*
 * gives_way: a running task's deadline moves on while it runs; at a tick something that waits may be earlier though it
 * was not when it came. One that is bound to this CPU and woke up can run nowhere else, and need not be earlier by
 * more.
 */
static __always_inline bool gives_way(s32 cpu, u32 d, struct nl_cpu __arena *c, u64 t)
{
	u64 key = running_key(c, t), woken;
	u64 slices = t - c->since_ns < default_slice_ns / 2 ? TICK_MARGIN_EARLY_SLICES : TICK_MARGIN_SLICES;
	u64 much_earlier = key - slices * default_slice_ns;

	if (nr_waiting(cpu)) {
		woken = first_woken_key(DSQ_CPU(cpu));
		if ((woken != ~0ULL && after(key, woken)) || !all_later(DSQ_CPU(cpu), much_earlier))
			return true;
	}
	return !all_later(DSQ_DOMAIN(d), much_earlier);
}

SEC("struct_ops/nodeland_tick")
void BPF_PROG(nodeland_tick, struct task_struct *p)
{
	s32 cpu = scx_bpf_task_cpu(p);
	u32 d = domain_of_cpu(cpu);
	struct nl_cpu __arena *c = cpu_state(cpu);
	struct task *tc = task_of(p);
	u64 t = now_ns();

	use_arena();
	if (recording.serial)
		record_ran(p, NL_RECORD_RAN);
	if (c->preemptible && !(tc && tc->runs_out) && !is_closed(cpu, t) && gives_way(cpu, d, c, t)) {
		count(d, NL_CNT_PREEMPTIONS);
		set_slice(p, 0);
	}
}

SEC("struct_ops/nodeland_running")
void BPF_PROG(nodeland_running, struct task_struct *p)
{
	s32 cpu = scx_bpf_task_cpu(p);
	u32 d = domain_of_cpu(cpu);
	struct nl_cpu __arena *c = cpu_state(cpu);
	struct domain_state *ds = domain_state(d);
	struct nl_domain __arena *dom = domain_of(ds);
	struct cpu_local *local = cpu_local(cpu);
	struct task *tc = task_of(p);
	bool was_taken = local->is_taken;
	u64 t = now_ns();

	use_arena();
	c->since_ns = t;
	local->is_ours = 1;
	local->is_taken = 0;
	local->closed_until_ns = 0;
	if (!tc)
		return;
	tc->started = t;
	if (recording.serial)
		record_ran(p, NL_RECORD_NONE);
	if (tc->worker) {
		ds = domain_state(tc->worker - 1);
		domain_of(ds)->parked = 0;
		ds->worker_unfinished = 0;
		count(tc->worker - 1, NL_CNT_WORKER_RUNS);
		if (ds->kicked_ns) {
			hist_add(NL_HIST_WORKER_WAKE, t - ds->kicked_ns);
			ds->kicked_ns = 0;
		}
		return;
	}
	left_queue(tc);
	task_move(tc, d);
	if (tc->enqueued) {
		u32 bucket = hist_bucket(t - tc->enqueued);

		hist_count(NL_HIST_WAIT, bucket);
		if (tc->woken == tc->enqueued) {
			hist_count(NL_HIST_WAKE, bucket);
			tc->woken = 0;
		}
		tc->enqueued = 0;
	}
	if (tc->woken) {
		hist_add(NL_HIST_WAKE, t - tc->woken);
		tc->woken = 0;
	}
	if (cpu == ds->worker_cpu && (p->nr_cpus_allowed == 1 || ds->state != NL_DOMAIN_ACTIVE))
		ds->worker_ran_ns = 0;
	/* A kick for the worker meanwhile brought this task, which lay in the kernel's own queue, to its CPU. */
	if (was_taken && cpu == ds->worker_cpu && READ_ONCE(dom->parked) && worker_has_work(ds, dom))
		kick(cpu, KICK_PREEMPT);
	c->slot = tc->slot;
	c->key_ns = tc->key;
	c->weight = tc->weight;
	c->preemptible = 1;
	if (is_own(p))
		own_runs(p, tc, c, local, dom->clock_ns, t);
	/*
	 * Only what competes for the whole domain moves its clock, and only by beginning a turn, as the earliest of
	 * all: in the middle of its turn one of low weight is far ahead of all that wait.
	 */
	if (tc->slot != NL_NO_SLOT) {
		slot_at(tc->slot)->owner = NL_OWNER_KERNEL;
		count_move(tc, c, d);
		if (tc->begins_turn && p->nr_cpus_allowed > 1 && after(tc->vtime, dom->clock_ns))
			dom->clock_ns = tc->vtime;
		tc->begins_turn = 0;
		tell_task(tc, NL_EVENT_RUNNING, cpu);
	}
}

SEC("struct_ops/nodeland_stopping")
void BPF_PROG(nodeland_stopping, struct task_struct *p, bool runnable)
{
	s32 cpu = scx_bpf_task_cpu(p);
	struct nl_cpu __arena *c = cpu_state(cpu);
	struct task *tc = task_of(p);
	u64 t = now_ns();

	use_arena();
	c->slot = NL_NO_SLOT;
	c->preemptible = 0;
	cpu_local(cpu)->is_ours = 0;
	if (!tc)
		return;
	if (tc->worker) {
		hist_add(NL_HIST_WORKER_RUN, t - tc->started);
		domain_state(tc->worker - 1)->worker_ran_ns += t - tc->started;
		/* It will decide nothing more, and is to end like any other thread of ours. */
		if (p->flags & PF_EXITING) {
			worker_gone((tc->worker - 1) & (NL_MAX_DOMAINS - 1), domain_state(tc->worker - 1), p->pid);
			tc->worker = 0;
		}
	}
	task_charge(tc, t);
	extension_stopped(tc, cpu);
	if (cpu_evicts[(u32)cpu & (NL_MAX_CPUS - 1)]) {
		cpu_evicts[(u32)cpu & (NL_MAX_CPUS - 1)] = 0;
		tc->slice_used = tc->slice;
	}
	tell_task(tc, NL_EVENT_STOPPING, cpu);
	if (!runnable)
		task_slept(tc, t);
	/* One that is taken from its queue and put back, to be changed, does not run itself at that moment. */
	if (recording.serial)
		record_ran(p, !runnable && p->__state && bpf_get_current_task_btf() == p ? record_kind_of_sleep(p)
											 : NL_RECORD_RAN);
}

/* A task that yields gives up the rest of its slice. For a worker this is how it waits. */
SEC("struct_ops/nodeland_yield")
bool BPF_PROG(nodeland_yield, struct task_struct *from, struct task_struct *to)
{
	struct task *tc;

	if (to)
		return false;
	tc = task_of(from);
	if (tc)
		tc->yielded = 1;
	set_slice(from, 0);
	return false;
}

SEC("struct_ops/nodeland_update_idle")
void BPF_PROG(nodeland_update_idle, s32 cpu, bool idle)
{
	u32 d = domain_of_cpu(cpu);
	struct domain_state *ds = domain_state(d);
	struct nl_domain __arena *dom = domain_of(ds);
	struct nl_cpu __arena *c = cpu_state(cpu);

	use_arena();
	/* A CPU on its way offline goes idle too, but runs nothing more. */
	idle = idle && cpu_online(cpu);
	if (c->idle == idle)
		return;
	c->idle = idle;
	__sync_fetch_and_add(&dom->nr_idle, idle ? 1 : -1);
	if (!idle)
		return;
	/* Whoever queued a task while this CPU was on its way to idle saw no idle CPU to kick. */
	if (scx_bpf_dsq_nr_queued(DSQ_DOMAIN(d)) || nr_waiting(cpu) || !decision_ring_empty(ds, dom) ||
	    (cpu == ds->worker_cpu && dom->parked && worker_has_work(ds, dom)))
		kick(cpu, 0);
}

SEC("struct_ops/nodeland_init_task")
s32 BPF_PROG(nodeland_init_task, struct task_struct *p, struct scx_init_task_args *args)
{
	struct nl_header __arena *h = at(struct nl_header, 0);
	struct nl_slot __arena *s;
	u32 tid = p->pid, *worker, slot;
	struct task *tc;

	use_arena();
	tc = bpf_task_storage_get(&tasks, p, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!tc)
		return 0;
	tc->slot = NL_NO_SLOT;
	tc->weight = p->scx.weight ?: WEIGHT_DEFAULT;
	tc->domain = domain_of_cpu(scx_bpf_task_cpu(p));
	tc->vtime = domain_of(domain_state(tc->domain))->clock_ns;
	tc->key = tc->vtime;
	if (recording.serial && args->fork)
		record_caused(p, NL_RECORD_FORK);
	if (p->tgid == own_tgid) {
		worker = bpf_map_lookup_elem(&workers, &tid);
		if (worker)
			tc->worker = *worker;
		return 0;
	}
	if (p->flags & PF_KTHREAD)
		return 0;
	slot = slot_alloc();
	if (slot == NL_NO_SLOT)
		return 0;
	s = slot_at(slot);
	tc->generation = (slot_task(slot)->generation + 1) & 0xffff;
	tc->enq = slot_task(slot)->enq;
	slot_task(slot)->generation = tc->generation;
	slot_task(slot)->pid = p->pid;
	slot_write_identity(p, s);
	s->numa_node = NO_NODE;
	/* One by one: clang's memset() of arena memory is refused by the verifier. */
	WRITE_ONCE(s->runnable_ns, 0);
	WRITE_ONCE(s->runnable_since_ns, 0);
	tc->target_seen = s->target;
	tc->allowed_domains = domains_of_mask(p->cpus_ptr, p->nr_cpus_allowed);
	s->allowed_domains = tc->allowed_domains;
	s->flags = p->nr_cpus_allowed == 1 ? NL_SLOT_BOUND : 0;
	s->domain = tc->domain;
	s->order.serial = 0;
	s->generation = tc->generation;
	store_release(&s->owner, NL_OWNER_KERNEL);
	tc->slot = slot;
	__sync_fetch_and_add(&h->slots_used, 1);
	slot_write_node(p, s);
	return 0;
}

SEC("struct_ops/nodeland_exit_task")
void BPF_PROG(nodeland_exit_task, struct task_struct *p, struct scx_exit_task_args *args)
{
	struct nl_header __arena *h = at(struct nl_header, 0);
	struct task *tc = task_of(p);
	u32 slot;

	use_arena();
	if (!tc)
		return;
	left_queue(tc);
	if (tc->slot == NL_NO_SLOT)
		return;
	slot = tc->slot;
	tell_task(tc, NL_EVENT_EXIT, tc->enq);
	tc->slot = NL_NO_SLOT;
	wait_close(slot);
	slot_task(slot)->enq = tc->enq;
	slot_task(slot)->pid = 0;
	store_release(&slot_at(slot)->owner, NL_OWNER_FREE);
	slot_release(slot);
	__sync_fetch_and_add(&h->slots_used, -1);
}

SEC("struct_ops/nodeland_enable")
void BPF_PROG(nodeland_enable, struct task_struct *p)
{
	struct task *tc = task_of(p);

	use_arena();
	if (!tc)
		return;
	tc->domain = domain_of_cpu(scx_bpf_task_cpu(p));
	tc->vtime = domain_of(domain_state(tc->domain))->clock_ns;
	tc->key = tc->vtime;
	tc->started = now_ns();
}

/* It leaves the class, or ends. */
SEC("struct_ops/nodeland_disable")
void BPF_PROG(nodeland_disable, struct task_struct *p)
{
	struct task *tc = task_of(p);

	use_arena();
	if (!tc)
		return;
	tc->woken = 0;
	tc->enqueued = 0;
	task_slept(tc, now_ns());
}

SEC("struct_ops/nodeland_set_weight")
void BPF_PROG(nodeland_set_weight, struct task_struct *p, u32 weight)
{
	struct task *tc = task_of(p);
	u32 before;

	use_arena();
	if (!tc)
		return;
	before = tc->weight;
	tc->weight = weight ?: WEIGHT_DEFAULT;
	if (recording.serial && tc->weight != before)
		record_weight(p);
	if (tc->slot == NL_NO_SLOT)
		return;
	slot_write_identity(p, slot_at(tc->slot));
	tell_task(tc, NL_EVENT_WEIGHT, tc->enq);
}

SEC("struct_ops/nodeland_set_cpumask")
void BPF_PROG(nodeland_set_cpumask, struct task_struct *p, const struct cpumask *cpumask)
{
	struct nl_slot __arena *s;
	struct task *tc = task_of(p);
	u32 allowed;

	use_arena();
	if (recording.serial)
		record_allowed(p);
	if (!tc || tc->slot == NL_NO_SLOT)
		return;
	allowed = bpf_cpumask_weight(cpumask);
	s = slot_at(tc->slot);
	tc->allowed_domains = domains_of_mask(cpumask, allowed);
	s->allowed_domains = tc->allowed_domains;
	s->flags = allowed == 1 ? NL_SLOT_BOUND : 0;
	tell_task(tc, NL_EVENT_AFFINITY, tc->enq);
}

/*
 * Defining these keeps the kernel from ending the scheduler when a CPU comes or goes. The plan stays: an offline CPU's
 * domain goes on with its others, and when none is left any other domain's CPUs see to what it had (inherit).
 */
static __always_inline void cpu_hotplug(s32 cpu, bool is_online)
{
	struct domain_state *ds = domain_state(domain_of_cpu(cpu));
	struct nl_cpu __arena *c = cpu_state(cpu);

	if (cpu_online(cpu) == is_online)
		return;
	if (!is_online && c->idle) {
		c->idle = 0;
		__sync_fetch_and_add(&domain_of(ds)->nr_idle, -1);
	}
	cpu_offline[(u32)cpu & (NL_MAX_CPUS - 1)] = !is_online;
	c->online = is_online;
	if (is_online) {
		if (ds->nr_offline == ds->nr_cpus)
			__sync_fetch_and_add(&nr_dead, -1);
		__sync_fetch_and_add(&ds->nr_offline, -1);
	} else {
		__sync_fetch_and_add(&ds->nr_offline, 1);
		if (ds->nr_offline == ds->nr_cpus)
			__sync_fetch_and_add(&nr_dead, 1);
	}
	if (event_wanted(domain_of(ds), is_online ? NL_EVENT_CPU_ONLINE : NL_EVENT_CPU_OFFLINE))
		tell(domain_of_cpu(cpu), is_online ? NL_EVENT_CPU_ONLINE : NL_EVENT_CPU_OFFLINE, cpu, 0, 0);
}

SEC("struct_ops/nodeland_cpu_online")
void BPF_PROG(nodeland_cpu_online, s32 cpu)
{
	use_arena();
	cpu_hotplug(cpu, true);
}

SEC("struct_ops/nodeland_cpu_offline")
void BPF_PROG(nodeland_cpu_offline, s32 cpu)
{
	use_arena();
	cpu_hotplug(cpu, false);
}

/*
 * A task of a higher class took the CPU. What was waiting in the CPU's own queue would wait for its end: it is enqueued
 * again.
 */
SEC("struct_ops/nodeland_cpu_release")
void BPF_PROG(nodeland_cpu_release, s32 cpu, struct scx_cpu_release_args *args)
{
	cpu_releases[(u32)cpu & (NL_MAX_CPUS - 1)] = 1;
	scx_bpf_reenqueue_local();
	cpu_releases[(u32)cpu & (NL_MAX_CPUS - 1)] = 0;
}

SEC("struct_ops.s/nodeland_init")
s32 BPF_PROG(nodeland_init)
{
	const struct cpumask *online;
	u32 d, cpu;
	s32 err;

	use_arena();
	scx_epoch_ns = bpf_ksym_exists(scx_bpf_now) ? scx_bpf_now() : bpf_ktime_get_ns();
	bpf_for(d, 0, nr_domains) {
		s32 node = domain_state(d)->node;

		err = scx_bpf_create_dsq(DSQ_DOMAIN(d), node);
		if (err)
			return err;
		err = scx_bpf_create_dsq(DSQ_WORKER(d), node);
		if (err)
			return err;
	}
	bpf_for(cpu, 0, nr_cpus) {
		err = scx_bpf_create_dsq(DSQ_CPU(cpu), domain_state(domain_of_cpu(cpu))->node);
		if (err)
			return err;
	}
	err = scx_bpf_create_dsq(DSQ_EMPTY, -1);
	if (err)
		return err;
	err = extensions_init();
	if (err)
		return err;
	online = scx_bpf_get_online_cpumask();
	bpf_for(cpu, 0, nr_cpus) {
		if (!bpf_cpumask_test_cpu(cpu, online))
			cpu_hotplug(cpu, false);
	}
	scx_bpf_put_cpumask(online);
	attached = 1;
	return watch_start();
}

SEC("struct_ops/nodeland_exit")
void BPF_PROG(nodeland_exit, struct scx_exit_info *ei)
{
	struct nl_header __arena *h = at(struct nl_header, 0);
	u32 zero = 0;
	struct nl_exit *out = bpf_map_lookup_elem(&exit_info, &zero);

	use_arena();
	if (!out)
		return;
	bpf_probe_read_kernel_str(out->reason, sizeof(out->reason), ei->reason);
	bpf_probe_read_kernel_str(out->msg, sizeof(out->msg), ei->msg);
	bpf_probe_read_kernel_str(out->dump, sizeof(out->dump), ei->dump);
	out->exit_code = ei->exit_code;
	__sync_lock_test_and_set(&out->kind, ei->kind);
	store_release(&h->exited, 1);
}

SEC("struct_ops/nodeland_dump")
void BPF_PROG(nodeland_dump, struct scx_dump_ctx *dctx)
{
	static char fmt[] =
		"nodeland domain %llu: state %llu worker %llu cpu %llu parked %llu progress %llu ring %llu/%llu "
		"decisions %llu/%llu queued %llu\n";
	u32 d;

	use_arena();
	bpf_for(d, 0, nr_domains) {
		struct domain_state *ds = domain_state(d);
		struct nl_domain __arena *dom = domain_of(ds);
		unsigned long long args[11] = {
			d,
			ds->state,
			ds->worker_tid,
			ds->worker_cpu,
			dom->parked,
			dom->progress,
			dom->task_tail - dom->task_head,
			ds->task_ring_mask + 1,
			dom->decision_tail - dom->decision_head,
			ds->decision_ring_mask + 1,
			scx_bpf_dsq_nr_queued(DSQ_DOMAIN(d)),
		};

		scx_bpf_dump_bstr(fmt, args, sizeof(args));
	}
}

SEC(".struct_ops.link")
struct sched_ext_ops nodeland = {
	.select_cpu = (void *)nodeland_select_cpu,
	.enqueue = (void *)nodeland_enqueue,
	.dequeue = (void *)nodeland_dequeue,
	.dispatch = (void *)nodeland_dispatch,
	.tick = (void *)nodeland_tick,
	.running = (void *)nodeland_running,
	.stopping = (void *)nodeland_stopping,
	.yield = (void *)nodeland_yield,
	.update_idle = (void *)nodeland_update_idle,
	.init_task = (void *)nodeland_init_task,
	.exit_task = (void *)nodeland_exit_task,
	.enable = (void *)nodeland_enable,
	.disable = (void *)nodeland_disable,
	.set_weight = (void *)nodeland_set_weight,
	.set_cpumask = (void *)nodeland_set_cpumask,
	.cpu_online = (void *)nodeland_cpu_online,
	.cpu_offline = (void *)nodeland_cpu_offline,
	.cpu_release = (void *)nodeland_cpu_release,
	.init = (void *)nodeland_init,
	.exit = (void *)nodeland_exit,
	.dump = (void *)nodeland_dump,
	.dispatch_max_batch = 64,
	.name = "nodeland",
};
