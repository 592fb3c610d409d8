/*
 * The life of tasks: asked, taken, decided or rescued, queued once, or taken away; slots that are used again; a worker
 * that dies anywhere and is followed by one that knows nothing; a policy that forgets; a kernel that rescues meanwhile.
 *
 * Stands for:
 *   proctype Task      the core's do_enqueue_task and ops_dequeue, with bpf/nodeland.bpf.c nodeland_init_task,
 *                      nodeland_enqueue, ask, nodeland_dequeue, nodeland_exit_task, bpf/wait.h wait_open and
 *                      wait_close, and bpf/task.h slot_alloc. What happens to one task is serial: the core holds its
 *                      run queue's lock.
 *   proctype Cpu       bpf/nodeland.bpf.c nodeland_dispatch: bpf/dispatch.h drain_decisions, decision_apply (its steps
 *                      1 to 3), bpf/rescue.h rescue with rescue_task, bpf/wait.h wait_claim; then the core's
 *                      finish_dispatch. A CPU of another domain that does this (bpf/dispatch.h inherit) is one of them.
 *   proctype Worker    src/worker/domain-loop.ts batch, steps 1 to 6
 *   proctype Watch     bpf/watch.h watch_worker, bpf/nodeland.bpf.c nl_register_worker, worker_gone. Its overdue_scan
 *                      (bpf/rescue.h) finds every wait that is open for too long: rescue may come at any time.
 * The rings are taken to be right, as task-ring.pml and decision-ring.pml show: the task ring is an array, the decision
 * ring a channel. What is one step here is one access to a word that others write, with the private steps around it.
 *
 * The core's rule, in the kernel's ext.c: an insertion notes the number (qseq) of the enqueue it saw; finish_dispatch
 * queues the task only if it is still QUEUED with that number. So nothing is queued twice, and what is left to show is
 * that nothing is forgotten, and that no decision reaches another task or another wait of its own task (OWN_WAIT).
 *
 * That no task waits for ever is shown as: where nothing more can happen, no task waits. (A task that waits blocks; pan
 * reports a state in which a Task is blocked and nobody can go on as an invalid end state. The loops below do a bounded
 * number of things, or wait for something to do. A rescue that would come to nothing does not count as something to do.)
 *
 * Bounds: TASKS that share SLOTS, WAITS each, CPUS, DEATHS of the worker, FLIPS to fallback or back, FULL rings, EXECS
 * that change a task's pid, FORGETS of the policy. STAYS_DEAD: a dead worker has no follower. PID_EARLY: the compiler
 * reads the slot's pid in step 1 and not again.
 * Mutations, each of which must be found:
 *   NO_CLAIM          the wait is read and then cleared, without the compare-and-swap
 *   CLAIMS_ANY        the claim succeeds whenever somebody waits in the slot, whatever the number
 *   ENQ_FROM_ZERO     a slot's enqueue count begins anew with each task that gets it
 *   NO_RESCUE         nothing is rescued
 *   BY_OWNER          rescue goes by the slot's owner word, over which a late CPU may have written
 *   OLD_PID           the slot's pid is that of init_task, though exec by a thread changes it
 *   BY_DOMAIN         only domains that are not active are rescued, however old a wait is
 *   NO_RECHECK        step 3 of decision_apply is left out (with OWN_WAIT)
 *   FULL_SAME_ENQ     ask does not count when the ring is full (with OWN_WAIT and FULL)
 *   SAME_ENQ          nodeland_dequeue does not count (with OWN_WAIT)
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
#ifndef FORGETS
#define FORGETS 0
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

/* Private state of the kernel side: struct task, waits[], slot_tasks[], the domain's. */
byte tc_slot[TASKS] = NONE;
byte tc_generation[TASKS], tc_enq[TASKS];
byte wait[SLOTS]; /* the word's number; its time and domain go with that */
byte slot_pid[SLOTS], slot_generation[SLOTS], slot_enq[SLOTS];
bool slot_used[SLOTS];
bool is_active = true;

#if TASKS > 1
byte asker[SLOTS]; /* whose wait it is; only to assert it */
#define IS_ASKER(slot, t) asker[slot] = t
#else
#define IS_ASKER(slot, t) skip
#endif

/* The slot table's owner word. */
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

bool is_alive = true;
byte full_left = FULL, execs_left = EXECS;

/* wait_close: a load and a plain store. */
#define WAIT_CLOSE(slot) \
	if \
	:: wait[slot] != 0 -> atomic { OWNER(slot, KERNEL); wait[slot] = 0 } \
	:: wait[slot] == 0 \
	fi

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
		slot_generation[i] = tc_generation[me]
	};
	slot_pid[i] = OLD(me);
	atomic { OWNER(i, KERNEL); tc_slot[me] = i; i = 0 };

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
		tc_enq[me]++;
		if
		:: !is_active -> goto direct
		:: is_active
		fi;
		/* ask */
#if EXECS > 0 && !defined(OLD_PID)
		slot_pid[tc_slot[me]] = pid_of[me];
#endif
		atomic { OWNER(tc_slot[me], ASKED); IS_ASKER(tc_slot[me], me); wait[tc_slot[me]] = tc_enq[me] };
		if
		:: atomic {
				ring_slot[task_tail] = tc_slot[me];
				ring_enq[task_tail] = tc_enq[me];
				ring_generation[task_tail] = tc_generation[me];
				task_tail++
			};
			/* It waits until it is queued, or until it is taken away at any time. */
			atomic {
				ops_state[me] = QUEUED;
				if
				:: goto stays
				:: goto taken
				fi
			};
stays:			on_dsq[me] == true
		:: atomic {
				/* The ring is full. */
				full_left > 0 ->
				full_left--
			};
#ifndef FULL_SAME_ENQ
			tc_enq[me]++;
#endif
			WAIT_CLOSE(tc_slot[me]);
direct:			atomic { OWNER(tc_slot[me], KERNEL); on_dsq[me] = true; ops_state[me] = NOT_OURS }
		:: false;
taken:			/* ops_dequeue, with nodeland_dequeue when the wait is still the scheduler's */
			if
			:: ops_state[me] == QUEUED ->
#ifndef SAME_ENQ
				tc_enq[me]++;
#endif
				WAIT_CLOSE(tc_slot[me]);
				/* It loses against a dispatch that comes before this. */
				ops_state[me] = NOT_OURS
			:: ops_state[me] != QUEUED
			fi
		fi;
		/* It runs, and may change its pid. */
		atomic {
#ifdef OWN_WAIT
			assert(wait[tc_slot[me]] == 0);
#endif
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
	atomic { i = tc_slot[me]; tc_slot[me] = NONE };
	WAIT_CLOSE(i);
	atomic {
		slot_enq[i] = tc_enq[me];
		slot_pid[i] = NOBODY;
		OWNER(i, FREE);
		slot_used[i] = false;
		i = 0; waits = 0
	}
}

/* What lets rescue claim a wait: it may be overdue at any time, or be in a domain that is not active. */
#if defined(NO_RESCUE)
#define IS_OVERDUE false
#elif defined(BY_DOMAIN)
#define IS_OVERDUE !is_active
#else
#define IS_OVERDUE true
#endif
#ifdef BY_OWNER
#define LOOKS_ASKED(s) (owner[s] == ASKED)
#else
#define LOOKS_ASKED(s) true
#endif
#define NAMES(s, t) (tc_slot[t] == s && slot_pid[s] == pid_of[t])
#if TASKS == 2
#define NAMES_ONE(s) (NAMES(s, 0) || NAMES(s, 1))
#else
#define NAMES_ONE(s) NAMES(s, 0)
#endif
#define RESCUABLE(s) (wait[s] != 0 && IS_OVERDUE && LOOKS_ASKED(s) && NAMES_ONE(s))

proctype Cpu()
{
	byte slot, generation, enq, t, named, seen;
#ifdef OWN_WAIT
	byte claimed_wait;
#endif

end:	do
	:: decisions ? slot, generation, enq ->
		/* decision_apply, step 1: the slot's task; then its wait */
		atomic {
			if
			:: slot_generation[slot] != generation || slot_pid[slot] == NOBODY -> goto out
			:: else
			fi;
#ifdef PID_EARLY
			named = slot_pid[slot]
#endif
		};
		atomic {
			if
			:: wait[slot] != enq -> goto out
			:: else -> goto look_up
			fi
		}
	:: atomic { RESCUABLE(0) -> slot = 0; enq = wait[0]; goto look_up }
#if SLOTS == 2
	:: atomic { RESCUABLE(1) -> slot = 1; enq = wait[1]; goto look_up }
#endif
	od;

	/* Of a decision and of a rescue: bpf_task_from_pid, */
look_up:
	atomic {
		named = (named == NOBODY -> slot_pid[slot] : named);
		if
		:: named != NOBODY && pid_of[0] == named -> t = 0
#if TASKS == 2
		:: named != NOBODY && pid_of[1] == named -> t = 1
#endif
		:: else -> goto out
		fi;
		named = NOBODY
	};
	/* the task's slot, */
	atomic {
		if
		:: tc_slot[t] != slot -> goto out
		:: else -> goto claim
		fi
	};
	/* and step 2, the claim. */
claim:
#ifdef NO_CLAIM
	atomic {
		if
		:: wait[slot] != enq -> goto out
		:: else
		fi
	};
#endif
	atomic {
#if defined(CLAIMS_ANY)
		if
		:: wait[slot] == 0 -> goto out
		:: else
		fi;
#elif !defined(NO_CLAIM)
		if
		:: wait[slot] != enq -> goto out
		:: else
		fi;
#endif
		wait[slot] = 0;
		/* It is the wait of this task, and not of one that has the slot after it. */
#if TASKS > 1
		assert(asker[slot] == t);
#endif
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
		:: else -> goto flush
		fi
	};
#endif
	/* finish_dispatch, when the CPU's buffer is flushed: at any time later. */
flush:
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
		slot = 0; generation = 0; enq = 0; t = 0; named = 0; seen = 0;
#ifdef OWN_WAIT
		claimed_wait = 0;
#endif
		goto end
	}
}

proctype Worker()
{
	byte head, tail, deaths, forgets, i, held;
	byte held_enq[SLOTS], held_generation[SLOTS];

end:	do
	:: atomic {
			is_alive && (task_head != task_tail || held > 0) ->
			/* Steps 1 to 3. The notes are its own. A slot it holds already gets the newer wait. */
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
		/* Steps 4 and 5: as many as it likes, in any order; what it keeps it decides later, or forgets. */
		do
		:: atomic {
				held_enq[0] != 0 && nfull(decisions) ->
				decisions ! 0, held_generation[0], held_enq[0];
				held_enq[0] = 0; held_generation[0] = 0; held--
			}
		:: atomic {
				held_enq[0] != 0 && forgets < FORGETS ->
				forgets++;
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
		:: atomic { task_head = tail; tail = 0; break }
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
 * watch_worker, and the supervisor that takes a dead worker off the list (worker_gone) and starts another, which gets
 * the domain when it moves: each at any time. Whether the state is called FALLBACK or ABSENT makes no difference here.
 */
proctype Watch()
{
	byte flips = FLIPS;

end:	do
	:: atomic { flips > 0 -> flips--; is_active = !is_active }
	:: atomic { is_active && !is_alive -> is_active = false }
	:: atomic { !is_active && is_alive -> is_active = true }
#ifndef STAYS_DEAD
	:: atomic { !is_alive -> is_alive = true }
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
