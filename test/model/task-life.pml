/*
 * The life of tasks: asked, taken, decided or rescued, queued once, or taken away; slots that are used again; a worker
 * that dies anywhere and is followed by one that knows nothing; a kernel that rescues meanwhile.
 *
 * Stands for:
 *   proctype Task      the core's do_enqueue_task and ops_dequeue, with bpf/nodeland.bpf.c nodeland_init_task,
 *                      nodeland_enqueue, ask, nodeland_dequeue, nodeland_exit_task, and bpf/task.h slot_alloc. What
 *                      happens to one task is serial: the core holds its run queue's lock.
 *   proctype Cpu       bpf/nodeland.bpf.c nodeland_dispatch: bpf/dispatch.h drain_decisions, decision_apply (its steps
 *                      1 to 3), rescue; then the core's finish_dispatch
 *   proctype Worker    src/worker/domain-loop.ts batch, steps 1 to 6
 *   proctype Watch     bpf/watch.h watch_domain, bpf/nodeland.bpf.c nl_register_worker
 * The rings are taken to be right, as task-ring.pml and decision-ring.pml show: the task ring is an array, the decision
 * ring a channel. What is one step here is one access to a word that others write, with the private steps around it.
 *
 * The core's rule, in the kernel's ext.c: an insertion notes the number (qseq) of the enqueue it saw; finish_dispatch
 * queues the task only if it is still QUEUED with that number. So nothing is queued twice, and what is left to show is
 * that nothing is forgotten, and that no decision reaches another task.
 *
 * That no task waits for ever is shown as: where nothing more can happen, no task waits. (A task that waits blocks; pan
 * reports a state in which a Task is blocked and nobody can go on as an invalid end state. The loops below do a bounded
 * number of things, or wait for something to do.)
 *
 * Bounds: TASKS that share SLOTS, WAITS each, CPUS, DEATHS of the worker, FLIPS to fallback while it lives, FULL rings,
 * EXECS that change a task's pid. STAYS_DEAD: a dead worker has no follower.
 * Mutations, each of which must be found:
 *   NO_CLAIM          asked_enq is read and then cleared, without the compare-and-swap (with OWN_WAIT)
 *   ENQ_FROM_ZERO     a slot's enqueue count begins anew with each task that gets it
 *   NO_RESCUE         nothing is rescued
 *   BY_OWNER          rescue goes by the slot's owner word, over which a late CPU may have written
 *   OLD_PID           the slot's pid is that of init_task, though exec by a thread changes it
 *   NO_ORPHANS        once a new worker is registered, what the dead one held is rescued no more
 *   NO_RECHECK        step 3 of decision_apply is left out (with OWN_WAIT)
 * OWN_WAIT asserts more: no decision reaches another wait of its own task. README.md says what that takes
 * (ENDS_WITH_DEQUEUE).
 */
#ifndef TASKS
#define TASKS 1
#endif
#ifndef SLOTS
#define SLOTS 1
#endif
#ifndef WAITS
#define WAITS 2
#endif
#ifndef CPUS
#define CPUS 2
#endif
#ifndef DEATHS
#define DEATHS 0
#endif
#ifndef FLIPS
#define FLIPS 0
#endif
#ifndef FULL
#define FULL 0
#endif
#ifndef EXECS
#define EXECS 0
#endif

#define NONE 255
#define NOBODY 0
#define OLD(t) ((t) + 1)
#define NEW(t) ((t) + 1 + TASKS)

/* The core's. NOT_OURS is its SCX_OPSS_NONE. */
mtype = { NOT_OURS, QUEUEING, QUEUED };
mtype ops_state[TASKS] = NOT_OURS;
byte qseq[TASKS];
bool on_dsq[TASKS];
byte pid_of[TASKS];

/* Private state of the kernel side. */
byte tc_slot[TASKS] = NONE;
byte tc_generation[TASKS], tc_enq[TASKS], asked_enq[TASKS];
byte asked_in[TASKS]; /* in which worker's time it was asked; in the sources, a time */
byte slot_pid[SLOTS];
bool is_active = true; /* the domain's state */
byte incarnation = 1;

/* The slot table. */
byte slot_generation[SLOTS], slot_enq[SLOTS];
bool slot_used[SLOTS];
#ifdef BY_OWNER
mtype = { FREE, KERNEL, ASKED, DECIDED };
mtype owner[SLOTS] = FREE;
#define OWNER(s, who) owner[s] = who
#else
#define OWNER(s, who) skip
#endif

/* The rings. */
#define PUSHES (TASKS * WAITS)
byte ring_slot[PUSHES], ring_enq[PUSHES], ring_generation[PUSHES];
byte task_head, task_tail;
chan decisions = [2] of { byte, byte, byte }; /* slot, generation, enq */

bool is_alive = true, is_busy;
byte full_left = FULL, execs_left = EXECS;

proctype Task(byte me)
{
	byte waits, i;

	/* nodeland_init_task. slot_alloc is one step: it is a compare-and-swap. */
	atomic {
		if
		:: !slot_used[0] -> i = 0
#if SLOTS == 2
		:: !slot_used[1] -> i = 1
#endif
		fi;
		slot_used[i] = true;
		tc_generation[me] = slot_generation[i] + 1;
#ifndef ENQ_FROM_ZERO
		tc_enq[me] = slot_enq[i];
#endif
		pid_of[me] = OLD(me);
		slot_pid[i] = OLD(me)
	};
	atomic { slot_generation[i] = tc_generation[me]; OWNER(i, KERNEL); tc_slot[me] = i; i = 0 };

	do
	:: waits < WAITS ->
		/* do_enqueue_task */
		atomic {
			assert(ops_state[me] == NOT_OURS && !on_dsq[me]);
			waits++;
			ops_state[me] = QUEUEING;
			qseq[me]++
		};
		/* nodeland_enqueue */
		asked_enq[me] = 0;
		atomic {
			tc_enq[me]++;
			if
			:: !is_active -> goto direct
			:: else
			fi
		};
		/* ask */
		atomic {
#ifndef OLD_PID
			slot_pid[tc_slot[me]] = pid_of[me];
#endif
			OWNER(tc_slot[me], ASKED);
			asked_in[me] = incarnation;
			asked_enq[me] = tc_enq[me]
		};
		if
		:: atomic {
				ring_slot[task_tail] = tc_slot[me];
				ring_enq[task_tail] = tc_enq[me];
				ring_generation[task_tail] = tc_generation[me];
				task_tail++
			};
#ifdef ENDS_WITH_DEQUEUE
claimed:
#endif
			ops_state[me] = QUEUED
		:: atomic {
				/* The ring is full. */
				full_left > 0 ->
				full_left--;
#ifdef ENDS_WITH_DEQUEUE
				if
				:: asked_enq[me] != tc_enq[me] -> goto claimed
				:: else
				fi;
#endif
				asked_enq[me] = 0;
				OWNER(tc_slot[me], KERNEL)
			};
direct:			atomic { on_dsq[me] = true; ops_state[me] = NOT_OURS }
		fi;
		/* It waits until it is queued, or until it is taken away at any time. */
		if
		:: skip;
			on_dsq[me] == true
		:: skip;
			/* ops_dequeue, with nodeland_dequeue when the wait is still the scheduler's */
			if
			:: atomic {
					ops_state[me] == QUEUED ->
#ifdef ENDS_WITH_DEQUEUE
					tc_enq[me]++;
#endif
					OWNER(tc_slot[me], KERNEL);
					asked_enq[me] = 0
				};
				/* It loses against a dispatch that comes before this. */
				ops_state[me] = NOT_OURS
			:: ops_state[me] != QUEUED
			fi
		fi;
		/* It runs, and may change its pid. */
		atomic {
			on_dsq[me] = false;
			OWNER(tc_slot[me], KERNEL);
			if
			:: execs_left > 0 && pid_of[me] == OLD(me) -> execs_left--; pid_of[me] = NEW(me)
			:: true
			fi
		}
	:: else -> break
	od;
	/* Its pid names nobody before it is gone. Then nodeland_exit_task. */
	pid_of[me] = NOBODY;
	atomic { i = tc_slot[me]; tc_slot[me] = NONE; asked_enq[me] = 0 };
	atomic { slot_enq[i] = tc_enq[me]; OWNER(i, FREE); slot_used[i] = false; i = 0; waits = 0 }
}

/* What lets rescue claim a wait: a domain without a working worker, or a wait from before the present worker's time. */
#if defined(NO_RESCUE)
#define RESCUES(t) false
#elif defined(NO_ORPHANS)
#define RESCUES(t) !is_active
#else
#define RESCUES(t) (!is_active || asked_in[t] != incarnation)
#endif
#ifdef BY_OWNER
#define LOOKS_ASKED(s) (owner[s] == ASKED)
#else
#define LOOKS_ASKED(s) true
#endif
#define RESCUABLE(t) \
	(tc_slot[t] != NONE && asked_enq[t] != 0 && LOOKS_ASKED(tc_slot[t]) && slot_pid[tc_slot[t]] == pid_of[t] && \
	 RESCUES(t))

proctype Cpu()
{
	byte slot, generation, enq, t, seen;
#ifdef OWN_WAIT
	byte claimed_wait;
#endif

end:	do
	:: decisions ? slot, generation, enq ->
		/* decision_apply, step 1 */
		atomic {
			if
			:: slot_generation[slot] != generation -> goto out
			:: else
			fi
		};
		/* bpf_task_from_pid */
		atomic {
			if
			:: pid_of[0] != NOBODY && pid_of[0] == slot_pid[slot] -> t = 0
#if TASKS == 2
			:: pid_of[1] != NOBODY && pid_of[1] == slot_pid[slot] -> t = 1
#endif
			:: else -> goto out
			fi;
			if
			:: tc_slot[t] != slot -> goto out
			:: else
			fi
		};
		goto claim
	:: atomic {
			/* rescue */
			RESCUABLE(0) -> t = 0; slot = tc_slot[t]; enq = asked_enq[t]
		};
		goto claim
#if TASKS == 2
	:: atomic { RESCUABLE(1) -> t = 1; slot = tc_slot[t]; enq = asked_enq[t] };
		goto claim
#endif
	od;

	/* Step 2, of a decision and of a rescue. */
claim:
#ifdef NO_CLAIM
	atomic {
		if
		:: asked_enq[t] != enq -> goto out
		:: else
		fi
	};
	atomic {
		asked_enq[t] = 0;
#else
	atomic {
		if
		:: asked_enq[t] != enq -> goto out
		:: else -> asked_enq[t] = 0
		fi;
#endif
		/* The slot is that of the wait: a decision for a task that had it before does not come so far. */
		assert(generation == 0 || tc_generation[t] == generation);
#ifdef OWN_WAIT
		claimed_wait = qseq[t]
#endif
	};
	/* The insertion. */
	atomic { OWNER(slot, DECIDED); seen = (ops_state[t] == NOT_OURS -> 0 : qseq[t]) };
	/* Step 3. */
#ifndef NO_RECHECK
	atomic {
		if
		:: tc_enq[t] != enq -> goto out
		:: else
		fi
	};
#endif
	/* finish_dispatch, when the CPU's buffer is flushed: at any time later. */
	atomic {
		ops_state[t] != QUEUEING ->
		if
		:: ops_state[t] == QUEUED && qseq[t] == seen ->
			assert(!on_dsq[t]);
#ifdef OWN_WAIT
			assert(claimed_wait == seen);
#endif
			on_dsq[t] = true;
			ops_state[t] = NOT_OURS
		:: else
		fi
	};
out:	atomic {
		slot = 0; generation = 0; enq = 0; t = 0; seen = 0;
#ifdef OWN_WAIT
		claimed_wait = 0;
#endif
		goto end
	}
}

proctype Worker()
{
	byte head, tail, deaths, i, held;
	byte held_enq[SLOTS], held_generation[SLOTS];

end:	do
	:: atomic {
			is_alive && (task_head != task_tail || held > 0) ->
			/* Steps 1 to 3. The notes are its own. A slot it holds already gets the newer wait. */
			is_busy = true;
			tail = task_tail;
			head = task_head;
			do
			:: head != tail ->
				held = held + (held_enq[ring_slot[head]] == 0 -> 1 : 0);
				held_enq[ring_slot[head]] = ring_enq[head];
				held_generation[ring_slot[head]] = ring_generation[head];
				head++
			:: else -> break
			od;
			head = 0
		};
		/* Steps 4 and 5: as many as it likes, in any order; what it keeps it decides later. */
		do
		:: atomic {
				held_enq[0] != 0 && nfull(decisions) ->
				decisions ! 0, held_generation[0], held_enq[0];
				held_enq[0] = 0; held_generation[0] = 0; held--
			}
#if SLOTS == 2
		:: atomic {
				held_enq[1] != 0 && nfull(decisions) ->
				decisions ! 1, held_generation[1], held_enq[1];
				held_enq[1] = 0; held_generation[1] = 0; held--
			}
#endif
		:: deaths < DEATHS -> goto dead
		/* Step 6. */
		:: atomic { is_busy = (held > 0); task_head = tail; tail = 0; break }
		od
	:: atomic { is_alive && deaths < DEATHS -> goto dead }
	od;
dead:	atomic {
		deaths++;
		is_alive = false;
		held = 0; tail = 0;
		for (i : 0 .. SLOTS - 1) { held_enq[i] = 0; held_generation[i] = 0 }
		i = 0;
		goto end
	}
}

/*
 * watch_domain, and the supervisor that takes a dead worker off the list and starts another: each at any time. Whether
 * the state is called FALLBACK or ABSENT makes no difference here.
 */
#define HELD (task_head != task_tail || is_busy)

proctype Watch()
{
	byte flips = FLIPS;

end:	do
	:: atomic { is_active && HELD && is_alive && flips > 0 -> flips--; is_active = false }
	:: atomic { is_active && !is_alive -> is_active = false }
	:: atomic { !is_active && (is_alive || !HELD) -> is_active = true }
#ifndef STAYS_DEAD
	:: atomic { !is_alive -> is_alive = true; is_busy = false; incarnation++; is_active = true }
#endif
	od
}

init {
	byte i;

	atomic {
		for (i : 0 .. TASKS - 1) { run Task(i) }
		for (i : 1 .. CPUS) { run Cpu() }
		run Worker();
		run Watch()
	}
}
