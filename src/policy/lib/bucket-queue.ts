/** HOT PATH: no allocation, no exceptions. */
import type { Slot } from '../../shm/slot.js';

const NONE = -1;
const WORD_SHIFT = 5;
const WORD_MASK = 31;
/** One word of bits says which words of bits are not 0. */
const BUCKETS_MAX = 1024;

/**
 * BucketQueue is a queue with a small number of priorities: first in, first out within a bucket, lower buckets first. Bits
 * say which buckets have tasks, two levels of them, so that push and shift are O(1) (as the run queue of Linux 2.6.0 to
 * 2.6.22). It holds each slot at most once.
 */
export class BucketQueue {
  size = 0;
  private readonly first: Int32Array;
  private readonly last: Int32Array;
  /** Indexed by slot: the one behind it in its bucket. */
  private readonly next: Int32Array;
  private readonly bits: Int32Array;
  /** Bit w: bits[w] is not 0. */
  private summary = 0;

  /** @throws RangeError when there are no buckets or more than 1024 */
  constructor(
    nrSlots: number,
    readonly nrBuckets: number,
  ) {
    if (!Number.isInteger(nrBuckets) || nrBuckets < 1 || nrBuckets > BUCKETS_MAX) {
      throw new RangeError(`${nrBuckets} buckets: expected 1 to ${BUCKETS_MAX}`);
    }
    this.first = new Int32Array(nrBuckets).fill(NONE);
    this.last = new Int32Array(nrBuckets).fill(NONE);
    this.next = new Int32Array(nrSlots).fill(NONE);
    this.bits = new Int32Array((nrBuckets + WORD_MASK) >> WORD_SHIFT).fill(0);
  }

  /** push adds a slot that is not queued. A bucket out of range is the nearest there is. */
  push(slot: Slot, bucket: number): void {
    const { nrBuckets, first, last, next } = this;
    const at = bucket > 0 ? (bucket < nrBuckets ? bucket | 0 : nrBuckets - 1) : 0;
    next[slot] = NONE;
    if (first[at] === NONE) {
      first[at] = slot;
      this.bits[at >> WORD_SHIFT] |= 1 << (at & WORD_MASK);
      this.summary |= 1 << (at >> WORD_SHIFT);
    } else {
      next[last[at]] = slot;
    }
    last[at] = slot;
    this.size = (this.size + 1) | 0;
  }

  /** shift takes the oldest slot of the lowest bucket that has any. The queue must not be empty. */
  shift(): Slot {
    const { bits, first } = this;
    const word = lowestBit(this.summary);
    const at = (word << WORD_SHIFT) | lowestBit(bits[word]) | 0;
    const slot = first[at];
    const behind = this.next[slot];
    first[at] = behind;
    if (behind === NONE) {
      bits[word] &= ~(1 << (at & WORD_MASK));
      if (bits[word] === 0) this.summary &= ~(1 << word);
    }
    this.size = (this.size - 1) | 0;
    return slot as Slot;
  }
}

const lowestBit = (bits: number): number => 31 - Math.clz32(bits & -bits);
