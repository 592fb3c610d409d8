/**
 * HOT PATH: no allocation, no exceptions, one kind of view.
 *
 * What runs where: the CPU blocks, which each CPU writes for itself. Plain reads of words that change meanwhile: hints.
 */
import type { Arena } from './arena.js';
import { CPU, LIMIT } from './layout.generated.js';

const W = CPU.word;
const WORDS = CPU.words;
const HIGH = 2 ** 32;
const NO_SLOT = LIMIT.NO_SLOT | 0;

/** CpuView reads CPU blocks. CPU numbers must be below {@link CpuView.nrCpus}. Every accessor is O(1). */
export class CpuView {
  /** CPU numbers of the machine are below this. */
  readonly nrCpus: number;
  private readonly words: Uint32Array;
  private readonly cpusWord: number;

  constructor(
    arena: Arena,
    /** The CPUs of this domain, ascending. */
    readonly own: Uint16Array,
    /** Indexed by CPU: another hardware thread of its core, or the CPU itself where it has none. */
    readonly sibling: Uint16Array,
  ) {
    this.words = arena.words;
    this.cpusWord = arena.cpusWord;
    this.nrCpus = arena.nrCpus;
  }

  private at(cpu: number): number {
    return (this.cpusWord + cpu * WORDS) | 0;
  }

  domain(cpu: number): number {
    return this.words[this.at(cpu) + W.domain];
  }

  isOnline(cpu: number): boolean {
    return this.words[this.at(cpu) + W.online] !== 0;
  }

  isIdle(cpu: number): boolean {
    return this.words[this.at(cpu) + W.idle] !== 0;
  }

  /** slot is what runs there; -1 when it idles or runs something that has no slot. */
  slot(cpu: number): number {
    const slot = this.words[this.at(cpu) + W.slot] | 0;
    return slot === NO_SLOT ? -1 : slot;
  }

  /** sinceNs is when what runs there began to, in nanoseconds since the scheduler's epoch. */
  sinceNs(cpu: number): number {
    const at = this.at(cpu) + W.sinceNs;
    return this.words[at] + this.words[at + 1] * HIGH;
  }

  /** keyNs is the key under which what runs there was queued. */
  keyNs(cpu: number): number {
    const at = this.at(cpu) + W.keyNs;
    return this.words[at] + this.words[at + 1] * HIGH;
  }

  /** idleSibling finds an idle CPU that shares the core of `cpu`; -1 when there is none in this domain. */
  idleSibling(cpu: number): number {
    const other = this.sibling[cpu];
    return other !== cpu && this.isIdle(other) && this.domain(other) === this.domain(cpu) ? other : -1;
  }

  /** idle finds an idle CPU of this domain; -1 when all are busy. O(CPUs of the domain). */
  idle(): number {
    const { own } = this;
    const { length } = own;
    for (let index = 0; index < length; index++) if (this.isIdle(own[index])) return own[index];
    return -1;
  }
}
