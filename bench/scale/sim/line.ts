/** A cache line that many CPUs write: one after another, each after the line has come over from the last. */
import type { Machine } from './machine.js';

/** ContendedLine is such a line. */
export class ContendedLine {
  private freeNs = 0;

  /** @param owner - the CPU that has it at first */
  constructor(
    private readonly machine: Machine,
    private owner: number,
  ) {}

  /** write is when a CPU that asks now has written it; asked in the order of time. */
  write(cpu: number, nowNs: number): number {
    this.freeNs = Math.max(nowNs, this.freeNs) + this.machine.transferNs(this.owner, cpu);
    this.owner = cpu;
    return this.freeNs;
  }
}
