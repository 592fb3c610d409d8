/*
 * The decision ring: one worker writes, any CPU of the domain takes several entries with one compare-and-swap. The
 * worker may die with entries written and not published; its follower writes on behind what can be taken.
 *
 * Stands for (the step numbers are those of the comment at the head of src/shm/decision-ring.ts):
 *   proctype Worker    src/shm/decision-ring.ts room, open, put, publish, steps 1 to 3; the constructor after a death (follow, step 6)
 *   proctype Consumer  bpf/rings.h decision_ring_take, steps 4 and 5 ("Decision ring" steps 2 to 4 there)
 *
 * The decision at position START + k is the number k, in two words of which either may be old. Positions are bytes
 * that wrap.
 *
 * Bounds: CONSUMERS CPUs that take up to TAKE, SIZE places, DECISIONS in all, DEATHS of the worker.
 * Mutations, each of which must be found: NO_CAS, NO_ROOM, SEQ_FIRST, COPY_LAST, NO_TAKING_BACK.
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

byte first[SIZE], second[SIZE], seq[SIZE];
byte decision_head = START;

#define TAKABLE(pos) (seq[(pos) & MASK] == PLUS(pos, 1))

/* What no CPU and no worker sees. */
bool applied[DECISIONS];
byte nr_published, nr_applied;

proctype Worker()
{
	byte tail = START, published = START, seen_head = START, end, deaths;

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
#ifdef SEQ_FIRST
			seq[tail & MASK] = PLUS(tail, 1);
#endif
			first[tail & MASK] = DISTANCE(tail, START);
			second[tail & MASK] = DISTANCE(tail, START);
			if
			:: tail != published -> seq[tail & MASK] = PLUS(tail, 1)
			:: else
			fi;
			tail = PLUS(tail, 1)
		:: deaths < DEATHS ->
			deaths++;
			/* Step 6. Its follower knows the words of the ring and nothing else. */
			seen_head = decision_head;
			tail = seen_head;
			do
			:: DISTANCE(tail, seen_head) < SIZE && TAKABLE(tail) -> tail = PLUS(tail, 1)
			:: else -> break
			od;
			published = tail;
			end = PLUS(seen_head, SIZE);
#ifndef NO_TAKING_BACK
			do
			:: tail != end -> seq[tail & MASK] = tail; tail = PLUS(tail, 1)
			:: else -> break
			od;
#endif
			tail = published;
			break
		:: break
		od;
		/* Step 3. */
		if
		:: tail != published ->
			atomic { seq[published & MASK] = PLUS(published, 1); nr_published = DISTANCE(tail, START) }
			published = tail
		:: else
		fi;
		end = 0
	:: else -> break
	od
}

proctype Consumer()
{
	byte pos, n, i;
	byte word[TAKE], other[TAKE];

end:	do
	:: TAKABLE(decision_head) ->
		/* Step 4. */
		pos = decision_head;
		do
		:: n < TAKE && TAKABLE(PLUS(pos, n)) ->
#ifndef COPY_LAST
			word[n] = first[PLUS(pos, n) & MASK];
			other[n] = second[PLUS(pos, n) & MASK];
#endif
			n++
		:: else -> break
		od;
		if
		:: n == 0 -> goto none
		:: else
		fi;
#ifdef COPY_LAST
		atomic {
			if
			:: decision_head == pos -> decision_head = PLUS(pos, n)
			:: else -> goto none
			fi
		};
		do
		:: i < n ->
			word[i] = first[PLUS(pos, i) & MASK];
			other[i] = second[PLUS(pos, i) & MASK];
			i++
		:: else -> break
		od;
#endif
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
				/* Whole, the one of its place, published, and applied by nobody else. */
				assert(word[i] == other[i]);
				assert(word[i] == DISTANCE(PLUS(pos, i), START));
				assert(word[i] < nr_published);
				assert(!applied[word[i]]);
				applied[word[i]] = true;
				nr_applied++;
				i++
			:: else -> break
			od
		};
none:		atomic {
			pos = 0; n = 0;
			for (i : 0 .. TAKE - 1) { word[i] = 0; other[i] = 0 }
			i = 0
		}
	od
}

/* Nothing is left when nobody can do any more. */
proctype Checker()
{
	atomic { nr_applied == DECISIONS -> assert(!TAKABLE(decision_head)) }
}

init {
	byte i;

	atomic {
		/* The ring as an earlier lap left it. */
		for (i : 0 .. SIZE - 1) { seq[(START + i) & MASK] = PLUS(START, i + 1 + 256 - SIZE) }
		run Worker();
		run Checker();
		for (i : 1 .. CONSUMERS) { run Consumer() }
	}
}
