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
import type { Slot } from './slot.js';

const { slot: SLOT, enq: ENQ, generation: GENERATION_CPU, sliceUs: SLICE } = DECISION.word;
const { keyLo: KEY_LO, keyHi: KEY_HI, flags: FLAGS } = DECISION.word;
const ENTRY_SHIFT = 3;
const TO_HIGH = 2 ** -32;

/** DecisionRing is the producer's side of one domain's decision ring. One per worker; not shared. */
export class DecisionRing {
  private readonly words: Uint32Array;
  private readonly signedWords: Int32Array;
  private readonly ringWord: number;
  private readonly size: number;
  private readonly headWord: number;
  private readonly tailWord: number;
  /** Places written, published or not. */
  private tail: number;
  private published: number;
  private seenHead: number;

  constructor(arena: Arena, place: DomainPlace) {
    if (DECISION.words !== 1 << ENTRY_SHIFT) throw new RangeError('decision ring entries are not 32 bytes');
    this.words = arena.words;
    this.signedWords = arena.signedWords;
    this.ringWord = place.decisionRingWord;
    this.size = place.decisionRingSize;
    this.headWord = place.domainWord + DOMAIN.word.decisionHead;
    this.tailWord = place.domainWord + DOMAIN.word.decisionTail;
    this.tail = Atomics.load(this.signedWords, this.tailWord);
    this.published = this.tail;
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

  /**
   * put writes one entry, with the slot's key from `keyNs` (step 2). The caller has made sure that there is room. The key
   * comes in an array because a number passed as an argument may get boxed.
   */
  put(
    slot: Slot,
    enq: number,
    generation: number,
    keyNs: Float64Array,
    sliceUs: number,
    cpu: number,
    flags: number,
  ): void {
    const key = keyNs[slot];
    const words = this.words;
    const at = this.ringWord + ((this.tail & (this.size - 1)) << ENTRY_SHIFT);
    words[at + SLOT] = slot;
    words[at + ENQ] = enq;
    words[at + GENERATION_CPU] = (generation & 0xffff) | (cpu << 16);
    words[at + SLICE] = sliceUs;
    words[at + KEY_LO] = key;
    words[at + KEY_HI] = key * TO_HIGH;
    words[at + FLAGS] = flags;
    this.tail = (this.tail + 1) | 0;
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
