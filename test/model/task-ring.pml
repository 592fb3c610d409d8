/*
 * The task ring: many CPUs write, one worker reads, dies and is followed by another one.
 *
 * Stands for (the step numbers are those of the comment at the head of each file):
 *   proctype Producer  bpf/rings.h task_ring_push, "Task ring" steps 1 to 4
 *   proctype Worker    src/shm/task-ring.ts committed, take, release, steps 5 to 8; the constructor after a death
 *
 * Positions are bytes that start shortly before they wrap, as the u32 positions wrap. Each producer numbers what it
 * pushed, so the reader can tell a loss, a repetition and a changed order.
 *
 * Bounds: PRODUCERS CPUs, PUSHES attempts each, SIZE places, DEATHS of the worker.
 * Mutations, each of which must be found: NO_MARGIN, NO_FETCH_ADD, SEQ_FIRST, HEAD_FIRST, NO_SEQ.
 */
#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef PUSHES
#define PUSHES 4
#endif
#ifndef SIZE
#define SIZE 4
#endif
#ifndef DEATHS
#define DEATHS 1
#endif

#define MASK (SIZE - 1)
#define START 253
#define MARGIN (PRODUCERS < SIZE / 2 -> PRODUCERS : SIZE / 2)
/* What is left of the subtraction of two positions: promela computes in int. */
#define DISTANCE(a, b) (((a) - (b)) & 255)
#define NEXT(a) (((a) + 1) & 255)
#ifdef NO_MARGIN
#define FULL(tail, head) (DISTANCE(tail, head) >= SIZE)
#else
#define FULL(tail, head) (DISTANCE(tail, head) > SIZE - MARGIN)
#endif

byte slot[SIZE], enq[SIZE], seq[SIZE];
byte task_head = START, head_seen = START, task_tail = START;

/* What no CPU and no worker sees: who pushed how much, and how much of it was read, and freed. */
byte pushed[PRODUCERS], read[PRODUCERS], freed[PRODUCERS];
byte done;

proctype Producer(byte me)
{
	byte attempt, head, tail, pos;

	do
	:: attempt < PUSHES ->
		attempt++;
		/* Step 1. In either order: some CPUs do not keep loads in theirs. */
		if
		:: head = head_seen; tail = task_tail
		:: tail = task_tail; head = head_seen
		fi;
		if
		:: FULL(tail, head) ->
			if
			:: head = task_head; head_seen = head; tail = task_tail
			:: tail = task_tail; head = task_head; head_seen = head
			fi
		:: else
		fi;
		if
		:: FULL(tail, head) -> skip
		:: else ->
			/* Step 2. */
#ifdef NO_FETCH_ADD
			pos = task_tail;
			task_tail = NEXT(pos);
#else
			atomic { pos = task_tail; task_tail = NEXT(pos) };
#endif
			/* Never over an entry that is still unread. */
			assert(DISTANCE(pos, task_head) < SIZE);
#ifdef SEQ_FIRST
			seq[pos & MASK] = NEXT(pos);
#endif
			/* Step 3. */
			slot[pos & MASK] = me;
			enq[pos & MASK] = pushed[me];
			/* Step 4. */
#ifdef SEQ_FIRST
			pushed[me]++
#else
			atomic { seq[pos & MASK] = NEXT(pos); pushed[me]++ }
#endif
		fi;
		head = 0; tail = 0; pos = 0
	:: else -> break
	od;
	done++
}

#ifdef NO_SEQ
#define COMMITTED(pos) ((pos) != task_tail)
#else
#define COMMITTED(pos) (seq[(pos) & MASK] == NEXT(pos))
#endif

proctype Worker()
{
	byte head = START, end, pos, deaths, from, number;

	do
	:: COMMITTED(head) ->
		/* Step 5, up to a limit of its own choice. */
		end = NEXT(head);
		do
		:: DISTANCE(end, head) < SIZE && COMMITTED(end) -> end = NEXT(end)
		:: break
		od;
		/* Step 6 is a fence: nothing to do where every order is kept. */
#ifdef HEAD_FIRST
		task_head = end;
#endif
		/* Step 7. */
		pos = head;
		do
		:: pos != end ->
			from = slot[pos & MASK];
			number = enq[pos & MASK];
			/* Whole, in its producer's order, nothing left out, nothing twice. */
			assert(from < PRODUCERS && number == read[from]);
			atomic { read[from]++; pos = NEXT(pos); from = 0; number = 0 }
		:: deaths < DEATHS -> deaths++; goto dead
		:: else -> break
		od;
		/* Step 8. */
		if
		:: deaths < DEATHS -> deaths++; goto dead
		:: skip
		fi;
		d_step {
			task_head = end; head = end; end = 0; pos = 0;
			for (from : 0 .. PRODUCERS - 1) { freed[from] = read[from] }
			from = 0
		}
		goto alive;
dead:
		/* Its follower begins where the ring says: what was read and not released is read again. */
		atomic {
			head = task_head; end = 0; pos = 0;
			for (from : 0 .. PRODUCERS - 1) { read[from] = freed[from] }
			from = 0; number = 0
		}
alive:		skip
	:: done == PRODUCERS && head == task_tail -> break
	od;
	for (from : 0 .. PRODUCERS - 1) { assert(read[from] == pushed[from]) }
}

init {
	byte i;

	atomic {
		/* The ring as an earlier lap left it. */
		for (i : 0 .. SIZE - 1) {
			slot[(START + i) & MASK] = 255;
			seq[(START + i) & MASK] = NEXT(START + i - SIZE)
		}
		run Worker();
		for (i : 0 .. PRODUCERS - 1) { run Producer(i) }
	}
}
