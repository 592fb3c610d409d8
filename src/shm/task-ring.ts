/**
 * HOT PATH: no allocation, no exceptions, one kind of view, one fence and one atomic store per batch.
 *
 * The task ring: many CPUs write in BPF, one worker reads. A place is named by its position, a u32 that wraps; the
 * entry is entries[position & mask]. Positions are kept as int32 here (V8 keeps those unboxed).
 *
 * Producer, on any CPU:
 *   1. tail - head > size - margin: full, the task goes the in-kernel way. The margin, one place per CPU that may be
 *      between 1 and 2, keeps step 2 from ever handing out a place that is still unread.
 *   2. position = fetch_add(tail, 1). Invariant: each position has one owner.
 *   3. Writes the entry's payload. Invariant: nobody reads it, since seq is still that of an earlier lap.
 *   4. Store-release of seq = position + 1. Invariant: seq == position + 1 means the payload is whole.
 * Consumer, the worker:
 *   5. From head on, counts the entries with seq == position + 1, with plain loads. It stops at the first that is not
 *      committed, so order is kept, and a producer interrupted between 2 and 4 holds up only what came after it.
 *   6. One sequentially consistent store and then one such load (both are words it must write and read anyway). On
 *      arm64 the pair is a full fence (a load-acquire does not pass an earlier store-release, which itself follows
 *      the loads of 5), so the payload loads below cannot have happened before the seq loads of 5.
 *   7. Reads payloads.
 *   8. Atomic store of head. Invariant: the reads of 7 come before it, so a producer that sees the new head may write.
 */
import { DOMAIN, TASK_ENTRY } from './layout.generated.js';
import type { Arena, DomainPlace } from './arena.js';
import type { Slot } from './slot.js';

const SLOT = TASK_ENTRY.word.slot;
const ENQ = TASK_ENTRY.word.enq;
const STAMP = TASK_ENTRY.word.generation;
const ENTRY_SHIFT = 2;

/** TaskRing is the consumer's side of one domain's task ring. One per worker; not shared between threads. */
export class TaskRing {
  private readonly words: Uint32Array;
  private readonly signedWords: Int32Array;
  private readonly ringWord: number;
  private readonly mask: number;
  private readonly headWord: number;
  private head: number;

  constructor(arena: Arena, place: DomainPlace) {
    if (TASK_ENTRY.words !== 1 << ENTRY_SHIFT) throw new RangeError('task ring entries are not 16 bytes');
    this.words = arena.words;
    this.signedWords = arena.signedWords;
    this.ringWord = place.taskRingWord;
    this.mask = place.taskRingSize - 1;
    this.headWord = place.domainWord + DOMAIN.word.taskHead;
    this.head = Atomics.load(this.signedWords, this.headWord);
  }

  /** committed counts the entries that can be read, at most `limit` (step 5). Follow it with step 6. */
  committed(limit: number): number {
    const words = this.words;
    const ringWord = this.ringWord;
    const mask = this.mask;
    const head = this.head;
    let count = 0;
    while (count < limit) {
      const position = (head + count) | 0;
      if ((words[ringWord + ((position & mask) << ENTRY_SHIFT)] | 0) !== ((position + 1) | 0)) break;
      count++;
    }
    return count;
  }

  /** ready looks with an atomic load, for spinning, whether the next entry is there. */
  ready(): boolean {
    const seq = Atomics.load(this.signedWords, this.ringWord + ((this.head & this.mask) << ENTRY_SHIFT));
    return seq === ((this.head + 1) | 0);
  }

  /** entry gives the place of the batch's index-th entry for the accessors below (step 7). */
  entry(index: number): number {
    return this.ringWord + (((this.head + index) & this.mask) << ENTRY_SHIFT);
  }

  slot(entry: number): Slot {
    return this.words[entry + SLOT] as Slot;
  }

  enq(entry: number): number {
    return this.words[entry + ENQ];
  }

  /** stamp is generation | task flags << 16. */
  stamp(entry: number): number {
    return this.words[entry + STAMP];
  }

  /** release gives the first `count` places back to the producers (step 8). */
  release(count: number): void {
    this.head = (this.head + count) | 0;
    Atomics.store(this.words, this.headWord, this.head);
  }
}
