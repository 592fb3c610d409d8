/**
 * The kernel side's ends of the rings, in TypeScript: what bpf/ does with them, step by step (the protocols are written
 * in shm/task-ring.ts and shm/decision-ring.ts). Single-threaded, and free of allocation: warm-up and benchmarks use it.
 */
import { type Arena, domainPlace, type DomainPlace } from '../shm/arena.js';
import { DECISION, DOMAIN, LIMIT, SLOT, TASK_ENTRY } from '../shm/layout.generated.js';
import type { Slot } from '../shm/slot.js';

const ENTRY = TASK_ENTRY.word;
const D = DECISION.word;
const HIGH = 2 ** 32;

/** SimTaskProducer pushes task records. */
export class SimTaskProducer {
  readonly place: DomainPlace;
  private readonly words: Uint32Array;
  private readonly signedWords: Int32Array;
  private readonly slotsWord: number;
  private readonly tailWord: number;
  private readonly headWord: number;
  private readonly margin: number;
  /** The place reserved last, as int32. */
  position = 0;

  constructor(arena: Arena, domain: number) {
    this.place = domainPlace(arena, domain);
    this.words = arena.words;
    this.signedWords = arena.signedWords;
    this.slotsWord = arena.slotsWord;
    this.tailWord = this.place.domainWord + DOMAIN.word.taskTail;
    this.headWord = this.place.domainWord + DOMAIN.word.taskHead;
    this.margin = Math.min(arena.nrCpus, this.place.taskRingSize >> 1);
  }

  /** push hands the slot's current wait (its generation and enqueue count) over; false when the ring is full. */
  push(slot: Slot, flags: number): boolean {
    if (!this.reserve()) return false;
    this.fill(this.position, slot, flags);
    this.commit(this.position);
    return true;
  }

  /** tell pushes an event (EVENT); false when the ring is full. */
  tell(kind: number, slot: number, enq: number, generation: number): boolean {
    if (!this.reserve()) return false;
    const entry = this.entryWord(this.position);
    this.words[entry + ENTRY.slot] = slot;
    this.words[entry + ENTRY.enq] = enq;
    this.words[entry + ENTRY.generation] = (generation & 0xffff) | (kind << 24);
    this.commit(this.position);
    return true;
  }

  /** reserve does steps 1 and 2, and leaves the place in `position`; false when the ring is full. */
  reserve(): boolean {
    const { signedWords, tailWord } = this;
    const tail = signedWords[tailWord];
    if (((tail - signedWords[this.headWord]) | 0) > this.place.taskRingSize - this.margin) return false;
    signedWords[tailWord] = tail + 1;
    this.position = tail;
    return true;
  }

  /** fill does step 3. */
  fill(position: number, slot: Slot, flags: number): void {
    const { words } = this;
    const entry = this.entryWord(position);
    const at = this.slotsWord + slot * SLOT.words;
    words[entry + ENTRY.slot] = slot;
    words[entry + ENTRY.enq] = words[at + SLOT.word.enq];
    words[entry + ENTRY.generation] = (words[at + SLOT.word.generation] & 0xffff) | (flags << 16);
  }

  /** commit does step 4. */
  commit(position: number): void {
    Atomics.store(this.signedWords, this.entryWord(position) + ENTRY.seq, (position + 1) | 0);
  }

  private entryWord(position: number): number {
    return this.place.taskRingWord + (position & (this.place.taskRingSize - 1)) * TASK_ENTRY.words;
  }
}

/** SimDecisionConsumer takes decisions one at a time; its fields hold the one last taken. */
export class SimDecisionConsumer {
  slot = 0;
  enq = 0;
  generation = 0;
  cpu = 0;
  sliceUs = 0;
  flags = 0;
  /** [0]: the key. */
  readonly key = new Float64Array(1);
  private readonly words: Uint32Array;
  private readonly signedWords: Int32Array;
  private readonly headWord: number;
  private readonly place: DomainPlace;

  constructor(arena: Arena, domain: number) {
    this.place = domainPlace(arena, domain);
    this.words = arena.words;
    this.signedWords = arena.signedWords;
    this.headWord = this.place.domainWord + DOMAIN.word.decisionHead;
  }

  /** take copies the next decision and moves the head past it; false when there is none. */
  take(): boolean {
    const { words, place } = this;
    const head = this.signedWords[this.headWord];
    const at = place.decisionRingWord + (head & (place.decisionRingSize - 1)) * DECISION.words;
    if (Atomics.load(this.signedWords, at + D.seq) !== ((head + 1) | 0)) return false;
    this.slot = words[at + D.slot] | 0;
    this.enq = words[at + D.enq] | 0;
    this.generation = words[at + D.generation] & 0xffff;
    this.cpu = words[at + D.generation] >>> 16;
    this.sliceUs = words[at + D.sliceUs] | 0;
    this.key[0] = words[at + D.keyLo] + words[at + D.keyHi] * HIGH;
    this.flags = words[at + D.flags] | 0;
    Atomics.store(this.signedWords, this.headWord, (head + 1) | 0);
    return true;
  }
}

/** No key is taken further than this from the domain's clock. */
export const KEY_RANGE_NS = 10_000_000_000;

/** clampKey brings a key to within {@link KEY_RANGE_NS} of the clock. */
export function clampKey(keyNs: number, clockNs: number): number {
  return Math.min(Math.max(keyNs, clockNs - KEY_RANGE_NS), clockNs + KEY_RANGE_NS);
}

/** clampSlice brings a slice to within the limits; 0 is the default slice. */
export function clampSlice(sliceUs: number, defaultSliceUs: number): number {
  if (sliceUs === 0) return defaultSliceUs;
  const unsigned = sliceUs >>> 0;
  return Math.min(Math.max(unsigned, LIMIT.SLICE_MIN_US), LIMIT.SLICE_MAX_US);
}
