/*
 * The decision ring: one worker writes, any CPU of the domain takes several entries with one compare-and-swap. The
 * worker may die with entries written and not published; its follower writes on from the published tail.
 *
 * Stands for (the step numbers are those of the comment at the head of src/shm/decision-ring.ts):
 *   proctype Worker    src/shm/decision-ring.ts room, open, put, publish, steps 1 to 3; the constructor after a death
 *   proctype Consumer  bpf/rings.h decision_ring_take, steps 4 and 5 ("Decision ring" steps 2 to 4 there)
 *
 * The decision at position START + k is the number k, in two words of which either may be old. Positions are bytes
 * that wrap.
 *
 * Bounds: CONSUMERS CPUs that take up to TAKE, SIZE places, DECISIONS in all, DEATHS of the worker.
 * Mutations, each of which must be found: NO_CAS, NO_ROOM, TAIL_FIRST, COPY_LAST.
 */
#ifndef CONSUMERS
#define CONSUMERS 2
#endif
#ifndef TAKE
#define TAKE 2
#endif
#ifndef SIZE
#define SIZE 2
#endif
#ifndef DECISIONS
#define DECISIONS 6
#endif
#ifndef DEATHS
#define DEATHS 1
#endif

#define MASK (SIZE - 1)
#define START 253
#define DISTANCE(a, b) (((a) - (b)) & 255)
#define PLUS(a, n) (((a) + (n)) & 255)

byte first[SIZE], second[SIZE];
byte decision_head = START, decision_tail = START;

/* What no CPU and no worker sees. */
bool applied[DECISIONS];
byte nr_applied;

proctype Worker()
{
	byte tail = START, seen_head = START, end, deaths;

	do
	:: DISTANCE(tail, START) < DECISIONS ->
		/* Step 1: the head is looked at anew only when the room with the old one is too small. */
#ifdef NO_ROOM
		end = PLUS(tail, 1);
#else
		if
		:: SIZE - DISTANCE(tail, seen_head) > 0 -> skip
		:: else -> seen_head = decision_head
		fi;
		end = PLUS(tail, SIZE - DISTANCE(tail, seen_head));
#endif
		/* Step 2, as many as the policy likes. */
		do
		:: tail != end && DISTANCE(tail, START) < DECISIONS ->
#ifdef TAIL_FIRST
			decision_tail = PLUS(tail, 1);
#endif
			first[tail & MASK] = DISTANCE(tail, START);
			second[tail & MASK] = DISTANCE(tail, START);
			tail = PLUS(tail, 1)
		:: deaths < DEATHS ->
			deaths++;
			/* Its follower knows the words of the ring and nothing else. */
			tail = decision_tail;
			seen_head = decision_head;
			break
		:: break
		od;
		/* Step 3. */
		decision_tail = tail;
		end = 0
	:: else -> break
	od
}

proctype Consumer()
{
	byte pos, tail, n, i;
	byte word[TAKE], other[TAKE];

end:	do
	:: decision_head != decision_tail ->
		/* Step 4. */
		pos = decision_head;
		tail = decision_tail;
		n = DISTANCE(tail, pos);
		if
		:: n == 0 -> goto none
		:: n > SIZE ->
			/* A broken writer, or a head this CPU saw long ago. */
			atomic {
				assert(decision_head != pos);
				if
				:: decision_head == pos -> decision_head = tail
				:: else
				fi
			};
			goto none
		:: else -> n = (n < TAKE -> n : TAKE)
		fi;
#ifdef COPY_LAST
		atomic {
			if
			:: decision_head == pos -> decision_head = PLUS(pos, n)
			:: else -> goto none
			fi
		};
#endif
		i = 0;
		do
		:: i < n ->
			word[i] = first[PLUS(pos, i) & MASK];
			other[i] = second[PLUS(pos, i) & MASK];
			i++
		:: else -> break
		od;
		/* Step 5. */
		atomic {
#ifdef NO_CAS
			decision_head = PLUS(pos, n);
#else
#ifndef COPY_LAST
			if
			:: decision_head == pos -> decision_head = PLUS(pos, n)
			:: else -> goto none
			fi;
#endif
#endif
			i = 0;
			do
			:: i < n ->
				/* Whole, the one of its place, and applied by nobody else. */
				assert(word[i] == other[i]);
				assert(word[i] == DISTANCE(PLUS(pos, i), START));
				assert(!applied[word[i]]);
				applied[word[i]] = true;
				nr_applied++;
				i++
			:: else -> break
			od
		};
none:		atomic {
			pos = 0; tail = 0; n = 0;
			for (i : 0 .. TAKE - 1) { word[i] = 0; other[i] = 0 }
			i = 0
		}
	od
}

/* Nothing is left when nobody can do any more. */
proctype Checker()
{
	atomic { nr_applied == DECISIONS -> assert(decision_head == decision_tail) }
}

init {
	byte i;

	atomic {
		run Worker();
		run Checker();
		for (i : 1 .. CONSUMERS) { run Consumer() }
	}
}
