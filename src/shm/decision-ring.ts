/**
 * HOT PATH: no allocation, no exceptions, one kind of view, one atomic store per batch.
 *
 * The decision ring: one worker writes, any CPU of the domain reads in BPF. Positions as in task-ring.ts.
 *
 * Producer, the worker:
 *   1. room = size - (tail - head), with the head it last saw; it looks at the real one only when that says there is
 *      too little room. Invariant: heads only grow, so an old one can only make the room smaller.
 *   2. Writes entries at tail, tail + 1 ... within the room, plainly; all but the first of the batch with
 *      seq = position + 1. Invariant: nobody reads them, since the first has not that seq yet, and consumers take them in
 *      order.
 *   3. Atomic store of the first one's seq = position + 1. Invariant: whoever has seen that sees all others whole.
 * Consumer, any CPU:
 *   4. Loads head; from there on, seq (acquire) and what else is in an entry, until one has not its position's seq, at most its
 *      own batch. An entry tells by itself that it is there: no line is fetched but its own.
 *   5. Compare-and-swap of head from what it saw to past what it copied. When that fails the copy is thrown away:
 *      another CPU took those entries, and the producer may already be writing over them. Invariant: each entry is
 *      applied by exactly one CPU, and only if it was still there when it was copied.
 * A worker's follower:
 *   6. Begins where consumers will stop: behind the entries that can be taken, and takes the seq back of all others. Invariant: what
 *      its predecessor wrote and did not publish is never taken in a later batch's wake.
 */
import { DECISION, DOMAIN } from './layout.generated.js';
import type { Arena, DomainPlace } from './arena.js';
import { type HeldTasks, NOTE } from './held-tasks.js';
import type { Slot } from './slot.js';

const { slot: SLOT, enq: ENQ, generation: GENERATION_CPU, sliceUs: SLICE } = DECISION.word;
const { keyLo: KEY_LO, keyHi: KEY_HI, flags: FLAGS, seq: SEQ } = DECISION.word;
const ENTRY_SHIFT = 3;
const TO_HIGH = 2 ** -32;
const { held: HELD, stampMask: STAMP_MASK } = NOTE;

/** DecisionRing is the producer's side of one domain's decision ring. One per worker; not shared. */
export class DecisionRing {
  private readonly words: Uint32Array;
  private readonly signedWords: Int32Array;
  /** The entries alone: a masked index is in range, and there is nothing to add to it. */
  private readonly entries: Uint32Array;
  private readonly size: number;
  private readonly mask: number;
  private readonly headWord: number;
  private readonly tailWord: number;
  /** Places written, published or not. */
  private tail: number;
  private published: number;
  private seenHead: number;
  /** What is added to a position for its seq: 1, but 0, which nobody takes, for the first of a batch. */
  private seqStep = 0;
  /** Where `put` stops. */
  private end: number;

  constructor(arena: Arena, place: DomainPlace) {
    if (DECISION.words !== 1 << ENTRY_SHIFT) throw new RangeError('decision ring entries are not 32 bytes');
    this.words = arena.words;
    this.signedWords = arena.signedWords;
    const { decisionRingWord, decisionRingSize } = place;
    this.entries = arena.words.subarray(
      decisionRingWord,
      decisionRingWord + decisionRingSize * DECISION.words,
    );
    this.size = decisionRingSize;
    this.mask = this.size - 1;
    this.headWord = place.domainWord + DOMAIN.word.decisionHead;
    this.tailWord = place.domainWord + DOMAIN.word.decisionTail;
    this.seenHead = Atomics.load(this.signedWords, this.headWord);
    this.tail = this.follow(this.seenHead);
    this.published = this.tail;
    this.end = this.tail;
  }

  private seqAt(position: number): number {
    return ((position & this.mask) << ENTRY_SHIFT) | SEQ;
  }

  private isTakable(position: number): boolean {
    return (Atomics.load(this.entries, this.seqAt(position)) | 0) === ((position + 1) | 0);
  }

  /** follow tells where the entries that can be taken end (step 6). */
  private follow(head: number): number {
    let end = head;
    while (end !== ((head + this.size) | 0) && this.isTakable(end)) end = (end + 1) | 0;
    // A position is never its own seq.
    for (let free = end; free !== ((head + this.size) | 0); free = (free + 1) | 0)
      this.entries[this.seqAt(free)] = free;
    return end;
  }

  /** room tells how many decisions fit; exact only when there are fewer than `wanted` (step 1). */
  room(wanted: number): number {
    const room = this.size - ((this.tail - this.seenHead) | 0);
    if (room >= wanted) return room;
    const head = Atomics.load(this.signedWords, this.headWord);
    const waiting = (this.published - head) | 0;
    const used = (this.tail - head) | 0;
    if (waiting < 0 || used > this.size || (waiting !== 0 && !this.isTakable(head))) return this.mend(head);
    this.seenHead = head;
    return this.size - used;
  }

  /**
   * mend sees to a ring that somebody spoiled, and tells the room: consumers wait for a seq that is gone, or took what was
   * never published and are beyond the tail, or a lap behind. The worker goes on where they are.
   */
  private mend(head: number): number {
    this.seenHead = head;
    if (((this.published - head) | 0) > 0 && ((this.tail - head) | 0) <= this.size) {
      Atomics.store(this.entries, this.seqAt(head), (head + 1) | 0);
    } else if (this.tail === this.published) {
      this.tail = this.follow(head);
      this.published = this.tail;
      this.end = this.tail;
    } else {
      // In the middle of a batch: not before the next one.
      this.seenHead = (this.tail - this.size) | 0;
    }
    return this.size - ((this.tail - this.seenHead) | 0);
  }

  /** open lets `put` write up to `count` entries, which is no more than the room. */
  open(count: number): void {
    this.end = (this.tail + count) | 0;
  }

  /**
   * put writes one entry (step 2): the decision about a held task, with the names of its wait and its key from `keyNs`, and
   * ends the holding. The key comes in an array because a number passed as an argument may get boxed.
   *
   * @returns false, and nothing is written, when the task is not held or there is no room left of what was opened
   */
  put(
    slot: Slot,
    held: HeldTasks,
    keyNs: Float64Array,
    sliceUs: number,
    cpu: number,
    flags: number,
  ): boolean {
    const { entries, tail } = this;
    const { notes } = held;
    if (slot < 0 || slot >= held.nrSlots || tail === this.end) return false;
    const noteAt = slot << 1;
    const stamp = notes[noteAt | 1] | 0;
    if ((stamp & HELD) === 0) return false;
    notes[noteAt | 1] = stamp & STAMP_MASK;
    this.tail = (tail + 1) | 0;
    const key = keyNs[slot];
    const at = (tail & this.mask) << ENTRY_SHIFT;
    entries[at | SLOT] = slot;
    entries[at | ENQ] = notes[noteAt];
    entries[at | GENERATION_CPU] = (stamp & 0xffff) | (cpu << 16);
    entries[at | SLICE] = sliceUs;
    entries[at | KEY_LO] = key;
    entries[at | KEY_HI] = key * TO_HIGH;
    entries[at | FLAGS] = flags;
    entries[at | SEQ] = (tail + this.seqStep) | 0;
    this.seqStep = 1;
    return true;
  }

  /** request writes an entry about no task; false when there is no room. Followed by `publish` like any other. */
  request(word: number, cpu: number, flags: number): boolean {
    if (this.room(1) === 0) return false;
    const { entries, tail } = this;
    const at = (tail & this.mask) << ENTRY_SHIFT;
    entries[at | SLOT] = word;
    entries[at | GENERATION_CPU] = cpu << 16;
    entries[at | FLAGS] = flags;
    entries[at | SEQ] = (tail + this.seqStep) | 0;
    this.seqStep = 1;
    this.tail = (tail + 1) | 0;
    if (((this.end - this.tail) | 0) < 0) this.end = this.tail;
    return true;
  }

  /** publish makes everything written visible (step 3) and tells how many that were. */
  publish(): number {
    const { published: first, tail } = this;
    const count = (tail - first) | 0;
    if (count !== 0) {
      this.seqStep = 0;
      this.published = tail;
      this.words[this.tailWord] = tail;
      Atomics.store(this.entries, ((first & this.mask) << ENTRY_SHIFT) | SEQ, (first + 1) | 0);
    }
    return count;
  }
}
