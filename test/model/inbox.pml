/*
 * A domain's inbox: many workers send batches, one receives record after record. A sender may die with places taken and
 * not filled, which are passed over; the receiver may die with records taken and not released, which its follower takes again.
 *
 * Stands for (the step numbers are those of the comment at the head of src/handoff/inbox.ts):
 *   proctype Sender    src/handoff/inbox.ts room, reserve, put, commit, steps 1 to 4
 *   proctype Receiver  src/handoff/inbox.ts take, release, steps 6 and 7; passOver; the constructor after a death
 *
 * The record at position START + k is the number k, in two words of which either may be old. Positions are bytes that
 * wrap. That a place is passed over after a second is: when its sender is dead.
 *
 * Bounds: SENDERS workers that send RECORDS each in batches of up to two, SIZE places, DEATHS of senders, ENDS of the receiver.
 * Mutations, each of which must be found: NO_CAS, NO_ROOM, SEQ_FIRST, FIRST_FIRST, RELEASE_FIRST, NO_PASSING.
 */
#ifndef SENDERS
#define SENDERS 2
#endif
#ifndef RECORDS
#define RECORDS 3
#endif
#ifndef SIZE
#define SIZE 2
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef ENDS
#define ENDS 1
#endif

#define MASK (SIZE - 1)
#define START 253
#define ALL (SENDERS * RECORDS)
#define DISTANCE(a, b) (((a) - (b)) & 255)
#define PLUS(a, n) (((a) + (n)) & 255)
#define FIRST(pos) PLUS(pos, 1)
#define FOLLOWING(pos) (255 - PLUS(pos, 1))

byte one[SIZE], two[SIZE], seq[SIZE];
byte shared_tail = START, shared_head = START;

/* What no worker sees. */
byte deaths, nr_ended, nr_sent, nr_taken;
bool sent[ALL], dead[ALL], taken[ALL];

proctype Sender()
{
	byte left = RECORDS, seen_tail = START, seen_head = START, n, first, i;

	do
	:: left > 0 ->
		if
		:: n = 1
		:: left > 1 -> n = 2
		fi;
again:
#ifndef NO_ROOM
		/* Step 1: real ones only when the room with those seen is too small. */
		if
		:: SIZE - DISTANCE(seen_tail, seen_head) < n ->
			seen_head = shared_head;
			seen_tail = shared_tail;
			if
			:: DISTANCE(seen_tail, seen_head) + n > SIZE -> goto again
			:: else
			fi
		:: else
		fi;
#endif
		/* Step 2. */
#ifdef NO_CAS
		first = shared_tail;
		shared_tail = PLUS(first, n);
		seen_tail = PLUS(first, n);
#else
		atomic {
			if
			:: shared_tail == seen_tail ->
				first = seen_tail;
				shared_tail = PLUS(first, n);
				seen_tail = shared_tail
			:: else -> seen_tail = shared_tail; goto again
			fi
		};
#endif
#ifdef FIRST_FIRST
		seq[first & MASK] = FIRST(first);
#endif
		/* Step 3. */
		do
		:: i < n ->
#ifdef SEQ_FIRST
			if
			:: i > 0 -> seq[PLUS(first, i) & MASK] = FOLLOWING(PLUS(first, i))
			:: else
			fi;
			atomic {
				if
				:: deaths < DEATHS -> goto dies
				:: skip
				fi
			};
#endif
			one[PLUS(first, i) & MASK] = DISTANCE(PLUS(first, i), START);
			two[PLUS(first, i) & MASK] = DISTANCE(PLUS(first, i), START);
#ifndef SEQ_FIRST
			if
			:: i > 0 -> seq[PLUS(first, i) & MASK] = FOLLOWING(PLUS(first, i))
			:: else
			fi;
#endif
			i++
		:: deaths < DEATHS -> goto dies
		:: i == n -> break
		od;
		/* Step 4. */
		atomic {
			seq[first & MASK] = FIRST(first);
			i = 0;
			do
			:: i < n -> sent[DISTANCE(PLUS(first, i), START)] = true; nr_sent++; i++
			:: else -> break
			od;
			left = left - n;
			i = 0; n = 0; first = 0
		}
	:: else -> goto ended
	od;
dies:	atomic {
		deaths++;
		i = 0;
		do
		:: i < n -> dead[DISTANCE(PLUS(first, i), START)] = true; i++
		:: else -> break
		od
	};
ended:	nr_ended++
}

proctype Receiver()
{
	byte head = START, word, other, ends;

end:	do
	:: seq[head & MASK] == FOLLOWING(head) || seq[head & MASK] == FIRST(head) ->
#ifdef RELEASE_FIRST
		shared_head = PLUS(head, 1);
#endif
		word = one[head & MASK];
		other = two[head & MASK];
		atomic {
			/* Whole, the one of its place, and sent: or from behind a place whose sender died. */
			assert(word == other);
			assert(word == DISTANCE(head, START));
			assert(sent[word] || dead[word]);
			if
			:: sent[word] && !taken[word] -> taken[word] = true; nr_taken++
			:: else
			fi;
			head = PLUS(head, 1);
			word = 0; other = 0
		}
	:: head != shared_head -> shared_head = head
	:: ends < ENDS && head != shared_head -> atomic { ends++; head = shared_head }
#ifndef NO_PASSING
	:: atomic {
		DISTANCE(head, START) < ALL && dead[DISTANCE(head, START)] && shared_tail != head &&
		seq[head & MASK] != FOLLOWING(head) && seq[head & MASK] != FIRST(head) ->
			head = PLUS(head, 1); shared_head = head
	   }
#endif
	od
}

/* Who sent has been heard. */
proctype Checker()
{
	atomic { nr_ended == SENDERS && nr_taken == nr_sent -> skip }
}

init {
	byte i;

	atomic {
		/* The ring as an earlier lap left it, with batches of two. */
		for (i : 0 .. SIZE - 1) {
			if
			:: i % 2 == 0 -> seq[(START + i) & MASK] = PLUS(FIRST(START + i), 256 - SIZE)
			:: else -> seq[(START + i) & MASK] = FOLLOWING(PLUS(START + i, 256 - SIZE))
			fi
		}
		run Receiver();
		run Checker();
		for (i : 1 .. SENDERS) { run Sender() }
	}
}
