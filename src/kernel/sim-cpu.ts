/** One CPU of the simulated kernel, and the block in which it shows what it runs. */
import { type Arena, writeU64 } from '../shm/arena.js';
import { CPU, LIMIT } from '../shm/layout.generated.js';
import type { SimDomain, SimQueued } from './sim-domain.js';

export class SimCpu {
  running: SimQueued | undefined;
  startedNs = 0;
  /** Counts starts, so that the timer of an earlier one is known to be void. */
  starts = 0;
  private readonly at: number;

  constructor(
    private readonly arena: Arena,
    readonly id: number,
    readonly domain: SimDomain,
  ) {
    this.at = arena.cpusWord + id * CPU.words;
    this.show();
  }

  /** show writes what runs here into the CPU's block. */
  show(): void {
    const { arena, at, running } = this;
    const { words } = arena;
    words[at + CPU.word.slot] = running?.task.slot ?? LIMIT.NO_SLOT;
    words[at + CPU.word.idle] = running === undefined ? 1 : 0;
    writeU64(words, at + CPU.word.sinceNs, this.startedNs);
    writeU64(words, at + CPU.word.keyNs, Math.max(0, Math.floor(running?.keyNs ?? 0)));
  }
}
