/** Sees CPUs come and go, by what the kernel side writes. */
import type { Arena } from '../shm/arena.js';
import { CPU } from '../shm/layout.generated.js';

/** HotplugWatch remembers which CPUs were online at the last look. Looking allocates nothing while none changes. */
export class HotplugWatch {
  private readonly before: Uint8Array;

  constructor(private readonly arena: Arena) {
    this.before = Uint8Array.from({ length: arena.nrCpus }, (_, cpu) => Number(this.isOnline(cpu)));
  }

  isOnline(cpu: number): boolean {
    const { words, cpusWord } = this.arena;
    return words[cpusWord + cpu * CPU.words + CPU.word.online] !== 0;
  }

  /** changes lists the CPUs that came or went since the last look; undefined when none did. */
  changes(): readonly number[] | undefined {
    const { before } = this;
    let changed: number[] | undefined;
    for (let cpu = 0; cpu < before.length; cpu++) {
      const now = this.isOnline(cpu) ? 1 : 0;
      if (now === before[cpu]) continue;
      before[cpu] = now;
      (changed ??= []).push(cpu);
    }
    return changed;
  }
}
