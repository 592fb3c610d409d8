/** A CPU of the simulated kernel, and the block in which it shows what it runs. */
import { type Arena, writeU64 } from '../shm/arena.js';
import { CPU, LIMIT } from '../shm/layout.generated.js';
import type { SimDomain, SimQueued } from './sim-domain.js';

/** SimCpu is written by the simulated kernel only. */
export class SimCpu {
  running: SimQueued | undefined;
  startedNs = 0;
  /** Until when its execution is accounted. */
  chargedNs = 0;
  sliceEndsNs = 0;
  /** Counts starts, so that the timer of an earlier one is known to be void. */
  starts = 0;
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
    words[at + CPU.word.idle] = 0;
    words[at + CPU.word.weight] = running.task.weight;
    writeU64(words, at + CPU.word.sinceNs, startedNs);
    writeU64(words, at + CPU.word.keyNs, running.keyNs);
  }

  /** idles shows that there was nothing to run. */
  idles(): void {
    this.arena.words[this.at + CPU.word.idle] = 1;
  }

  /** keyAt is the deadline of what runs, were it queued now: both its vtime and its execution since wake have grown. */
  keyAt(nowNs: number): number {
    const { running, startedNs } = this;
    if (running === undefined) return -Infinity;
    return running.keyNs + (2 * (nowNs - startedNs) * 100) / running.task.weight;
  }
}
