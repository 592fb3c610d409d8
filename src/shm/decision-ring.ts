/**
 * HOT PATH: no allocation, no exceptions, one kind of view, one atomic store per batch.
 *
 * The decision ring: one worker writes, any CPU of the domain reads in BPF. Positions as in task-ring.ts.
 *
 * Producer, the worker:
 *   1. room = size - (tail - head), with the head it last saw; it looks at the real one only when that says there is
 *      too little room. Invariant: heads only grow, so an old one can only make the room smaller.
 *   2. Writes entries at tail, tail + 1 ... within the room, plainly. Invariant: consumers look only below tail.
 *   3. Atomic store of tail. Invariant: entries below tail are whole.
 * Consumer, any CPU:
 *   4. Loads head, then tail (acquire); copies the entries between them, at most its own batch.
 *   5. Compare-and-swap of head from what it saw to past what it copied. When that fails the copy is thrown away:
 *      another CPU took those entries, and the producer may already be writing over them. Invariant: each entry is
 *      applied by exactly one CPU, and only if it was still there when it was copied.
 */
import { DECISION, DOMAIN } from './layout.generated.js';
import type { Arena, DomainPlace } from './arena.js';
import { type HeldTasks, NOTE } from './held-tasks.js';
import type { Slot } from './slot.js';

const { slot: SLOT, enq: ENQ, generation: GENERATION_CPU, sliceUs: SLICE } = DECISION.word;
const { keyLo: KEY_LO, keyHi: KEY_HI, flags: FLAGS } = DECISION.word;
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
    this.tail = Atomics.load(this.signedWords, this.tailWord);
    this.published = this.tail;
    this.end = this.tail;
    this.seenHead = Atomics.load(this.signedWords, this.headWord);
  }

  /** room tells how many decisions fit; exact only when there are fewer than `wanted` (step 1). */
  room(wanted: number): number {
    const room = this.size - ((this.tail - this.seenHead) | 0);
    if (room >= wanted) return room;
    const head = Atomics.load(this.signedWords, this.headWord);
    const used = (this.tail - head) | 0;
    // A head beyond the tail or a lap behind is damage; no room is the answer that does no further harm.
    const sane = used >= 0 && used <= this.size;
    this.seenHead = sane ? head : (this.tail - this.size) | 0;
    return sane ? this.size - used : 0;
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
    this.tail = (tail + 1) | 0;
    if (((this.end - this.tail) | 0) < 0) this.end = this.tail;
    return true;
  }

  /** publish makes everything written visible (step 3) and tells how many that were. */
  publish(): number {
    const count = (this.tail - this.published) | 0;
    if (count !== 0) {
      this.published = this.tail;
      Atomics.store(this.words, this.tailWord, this.tail);
    }
    return count;
  }
}
