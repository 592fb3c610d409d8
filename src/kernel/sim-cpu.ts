/** A CPU of the simulated kernel, and the block in which it shows what it runs and counts. */
import { bucketOf } from '../observe/histogram.js';
import { type Arena, writeU64 } from '../shm/arena.js';
import { CPU, HIST, HIST_NAMES, LIMIT } from '../shm/layout.generated.js';
import type { SimDomain, SimQueued } from './sim-domain.js';

/** SimCpu is written by the simulated kernel only. */
export class SimCpu {
  running: SimQueued | undefined;
  /** It looked for work and found none. */
  isIdle = false;
  startedNs = 0;
  /** Until when its execution is accounted; in the future while the worker has the CPU. */
  chargedNs = 0;
  sliceEndsNs = 0;
  /** Until when the domain's worker has it. */
  takenUntilNs = 0;
  /** Counts starts, so that the timer of an earlier one is known to be void. */
  starts = 0;
  /** How long tasks have run here. */
  busyNs = 0;
  private readonly at: number;

  constructor(
    private readonly arena: Arena,
    readonly id: number,
    readonly domain: SimDomain,
  ) {
    this.at = arena.cpusWord + id * CPU.words;
  }

  /** show writes what runs here, from when on, into the CPU's block. */
  show(): void {
    const { arena, at, running, startedNs } = this;
    const { words } = arena;
    words[at + CPU.word.slot] = running?.task.slot ?? LIMIT.NO_SLOT;
    words[at + CPU.word.preemptible] = running === undefined ? 0 : 1;
    if (running === undefined) return;
    this.leavesIdle();
    words[at + CPU.word.weight] = running.task.weight;
    writeU64(words, at + CPU.word.sinceNs, startedNs);
    writeU64(words, at + CPU.word.keyNs, running.keyNs);
  }

  /** idles shows that there was nothing to run. */
  idles(): void {
    if (this.isIdle) return;
    this.isIdle = true;
    this.domain.addIdle(1);
    this.arena.words[this.at + CPU.word.idle] = 1;
  }

  /** leavesIdle shows that it has something to do again. */
  leavesIdle(): void {
    if (this.isIdle) this.domain.addIdle(-1);
    this.isIdle = false;
    this.arena.words[this.at + CPU.word.idle] = 0;
  }

  /** charge accounts execution until now. */
  charge(nowNs: number): void {
    const ranNs = nowNs - this.chargedNs;
    if (this.running !== undefined && ranNs > 0) {
      this.running.task.charge(ranNs);
      this.busyNs += ranNs;
    }
    // The worker's time is nobody's.
    this.chargedNs = Math.max(nowNs, this.takenUntilNs);
  }

  /** record adds a duration to one of the CPU's histograms. */
  record(hist: keyof typeof HIST, ns: number): void {
    this.arena.words[this.at + CPU.word.hist + HIST[hist] * LIMIT.HIST_BUCKETS + bucketOf(ns)]++;
  }

  /** countMove counts a task that ran last in another domain. */
  countMove(fromDomain: number): void {
    this.arena.words[this.at + CPU.word.movedFrom + fromDomain]++;
  }

  /** countAnew forgets what was counted here. */
  countAnew(): void {
    const { arena, at } = this;
    this.busyNs = 0;
    arena.words.fill(0, at + CPU.word.hist, at + CPU.word.hist + HIST_NAMES.length * LIMIT.HIST_BUCKETS);
    arena.words.fill(0, at + CPU.word.movedFrom, at + CPU.word.movedFrom + LIMIT.MAX_DOMAINS);
  }

  /** keyAt is the deadline of what runs, were it queued now: both its vtime and its execution since wake have grown. */
  keyAt(nowNs: number): number {
    const { running, startedNs } = this;
    if (running === undefined) return -Infinity;
    return running.keyNs + (2 * Math.max(0, nowNs - startedNs) * 100) / running.task.weight;
  }
}
