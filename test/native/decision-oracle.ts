/**
 * What the kernel side must do with a decision, from books of its own: nothing here is read back from the shared memory.
 * Every drained decision is entered into `expected`, a picture of the memory as it must be afterwards.
 */
import type { Arena } from '../../src/shm/arena.js';
import { DECISION, LIMIT, OWNER, SLOT } from '../../src/shm/layout.generated.js';
import type { Drained } from './loopback.js';

const W = DECISION.word;
const TEN_SECONDS_NS = 10_000_000_000;
const HIGH = 2 ** 32;

/** Books are what is known of each slot: who has it, and the names of its latest wait. */
export interface Books {
  readonly owner: Uint8Array;
  readonly generation: Uint16Array;
  readonly enq: Uint32Array;
}

/** DecisionOracle tells verdicts on the decisions of one domain. */
export class DecisionOracle {
  readonly books: Books;
  /** The whole shared memory as it must be. */
  readonly expected: Uint32Array;
  private sum = { drained: 0, stale: 0, deadSlot: 0, badCpu: 0, sliceClamped: 0, keyClamped: 0 };
  private clock = { lo: 0, hi: 0 };

  constructor(
    private readonly arena: Arena,
    private readonly isDomainCpu: (cpu: number) => boolean,
  ) {
    const { nrSlots } = arena;
    this.books = {
      owner: new Uint8Array(nrSlots),
      generation: new Uint16Array(nrSlots),
      enq: new Uint32Array(nrSlots),
    };
    this.expected = new Uint32Array(arena.words.length);
  }

  /** lookAt takes the memory as it is for a picture of how it must stay, but for what decisions change. */
  lookAt(clock: { lo: number; hi: number }): void {
    this.expected.set(this.arena.words);
    this.clock = clock;
  }

  /** verdicts gives the sums since it was last called. */
  verdicts(): Drained {
    const { sum } = this;
    this.sum = { drained: 0, stale: 0, deadSlot: 0, badCpu: 0, sliceClamped: 0, keyClamped: 0 };
    return sum;
  }

  /** judge enters the decision in words[at ...]. */
  judge(words: Uint32Array, at: number): void {
    const { sum, books } = this;
    const slot = words[at + W.slot];
    const generation = words[at + W.generation] & 0xffff;
    if (slot >= this.arena.nrSlots || books.owner[slot] === OWNER.FREE || books.generation[slot] !== generation) {
      sum.deadSlot++;
    } else if (books.owner[slot] !== OWNER.ASKED || books.enq[slot] !== words[at + W.enq]) {
      sum.stale++;
    } else {
      sum.drained++;
      books.owner[slot] = OWNER.KERNEL;
      const slotAt = this.arena.slotsWord + slot * SLOT.words;
      this.expected[slotAt + SLOT.word.owner] = OWNER.KERNEL;
      this.expected[slotAt + SLOT.word.wakes]++;
      this.correct(words, at);
    }
  }

  private correct(words: Uint32Array, at: number): void {
    const { sum, clock } = this;
    const cpu = words[at + W.generation] >>> 16;
    if (cpu !== LIMIT.CPU_ANY && !this.isDomainCpu(cpu)) sum.badCpu++;
    const sliceUs = words[at + W.sliceUs];
    if (sliceUs !== 0 && (sliceUs < LIMIT.SLICE_MIN_US || sliceUs > LIMIT.SLICE_MAX_US)) sum.sliceClamped++;
    // Not exact where the keys lie far apart, but there it does not matter by how much.
    const ahead = ((words[at + W.keyHi] - clock.hi) | 0) * HIGH + (words[at + W.keyLo] - clock.lo);
    if (Math.abs(ahead) > TEN_SECONDS_NS) sum.keyClamped++;
  }
}
