/**
 * HOT PATH: no allocation, no exceptions, one kind of view.
 *
 * The words of a domain block through which its worker and the kernel side watch each other.
 */
import { DOMAIN, WORKER_STAT, WORKER_STATE } from './layout.generated.js';
import { addU64, type Arena, type DomainPlace, readU64 } from './arena.js';

const W = DOMAIN.word;
const HIGH = 2 ** 32;
const BUSY = WORKER_STATE.BUSY;
const READY = WORKER_STATE.READY;
const LOOPS = WORKER_STAT.LOOPS * 2;
const TAKEN = WORKER_STAT.TAKEN * 2;
const PUBLISHED = WORKER_STAT.PUBLISHED * 2;
const MAX_BATCH = WORKER_STAT.MAX_BATCH * 2;

/** A processor of this kind does not let a load pass an earlier one. */
const LOADS_IN_ORDER = process.arch === 'x64';

/** WorkerStatus is the worker's side of its domain block. One per worker; only it writes these words. */
export class WorkerStatus {
  private readonly words: Uint32Array;
  private readonly progressWord: number;
  private readonly stateWord: number;
  private readonly clockWord: number;
  private readonly idleWord: number;
  private readonly wakeWord: number;
  private readonly statsWord: number;
  private readonly waitModeWord: number;
  private readonly ticksWord: number;
  private readonly eventsWord: number;
  private readonly tickMsWord: number;
  private seenTicks: number;
  /** [0]: the domain's clock as last read. In an array, so that it is never boxed. */
  private readonly clock = new Float64Array(1);

  constructor(arena: Arena, place: DomainPlace) {
    this.words = arena.words;
    this.progressWord = place.domainWord + W.progress;
    this.stateWord = place.domainWord + W.workerState;
    this.clockWord = place.domainWord + W.clockNs;
    this.idleWord = place.domainWord + W.nrIdle;
    this.wakeWord = place.domainWord + W.wakeRequest;
    this.statsWord = place.domainWord + W.workerStats;
    this.waitModeWord = place.domainWord + W.waitMode;
    this.ticksWord = place.domainWord + W.ticks;
    this.eventsWord = place.domainWord + W.events;
    this.tickMsWord = place.domainWord + W.tickMs;
    this.seenTicks = arena.words[this.ticksWord] | 0;
  }

  /**
   * busy begins a batch. The clock's high word is read before the low one: a carry between the two makes the value smaller,
   * never larger, and the clock kept here does not go back.
   */
  busy(): void {
    const words = this.words;
    words[this.progressWord]++;
    words[this.stateWord] = BUSY;
    const high = LOADS_IN_ORDER ? words[this.clockWord + 1] : this.fence();
    const now = words[this.clockWord] + high * HIGH;
    if (now > this.clock[0]) this.clock[0] = now;
  }

  /** fence is step 6 in task-ring.ts: an atomic store and, after it, an atomic load, which is the clock's high word. */
  private fence(): number {
    Atomics.store(this.words, this.stateWord, BUSY);
    return Atomics.load(this.words, this.clockWord + 1);
  }

  /** ready ends a batch after which nothing is held. The ring's release, an atomic store, publishes it. */
  ready(): void {
    this.words[this.stateWord] = READY;
  }

  /** state sets the worker's state outside batches. */
  state(state: number): void {
    Atomics.store(this.words, this.stateWord, state);
  }

  waitMode(mode: number): void {
    Atomics.store(this.words, this.waitModeWord, mode);
  }

  /** alive moves the progress word: the worker looked and found nothing to do. */
  alive(): void {
    this.words[this.progressWord]++;
  }

  /** clockNs is the domain's virtual clock at the beginning of this batch. */
  clockNs(): number {
    return this.clock[0];
  }

  /** hasIdleCpu tells whether a CPU of the domain idles; a hint, read plainly. */
  hasIdleCpu(): boolean {
    return this.words[this.idleWord] !== 0;
  }

  /** ticked tells whether the kernel side's tick has moved since the last look. */
  ticked(): boolean {
    const ticks = this.words[this.ticksWord] | 0;
    if (ticks === this.seenTicks) return false;
    this.seenTicks = ticks;
    return true;
  }

  /** wants tells the kernel side which events (bits of EVENT) this worker is told of, and how often it ticks (0: never). */
  wants(events: number, tickMs: number): void {
    this.words[this.eventsWord] = events;
    Atomics.store(this.words, this.tickMsWord, tickMs);
  }

  /** woken tells whether somebody asked this worker to look, and takes the request back before it looks. */
  woken(): boolean {
    if (Atomics.load(this.words, this.wakeWord) === 0) return false;
    Atomics.store(this.words, this.wakeWord, 0);
    return true;
  }

  /** wakeMe asks the kernel side not to park this worker: it holds tasks it could not decide yet. */
  wakeMe(): void {
    this.words[this.wakeWord] = 1;
  }

  /** countBatch accounts one batch. */
  countBatch(taken: number, published: number): void {
    const words = this.words;
    const stats = this.statsWord;
    addU64(words, stats + LOOPS, 1);
    addU64(words, stats + TAKEN, taken);
    addU64(words, stats + PUBLISHED, published);
    if (taken > words[stats + MAX_BATCH]) words[stats + MAX_BATCH] = taken;
  }

  /** countEvent accounts one of the rarer statistics (WORKER_STAT). */
  countEvent(stat: number): void {
    addU64(this.words, this.statsWord + stat * 2, 1);
  }

  /** statistic reads one statistic back. */
  statistic(stat: number): number {
    return readU64(this.words, this.statsWord + stat * 2);
  }
}
