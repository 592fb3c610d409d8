/** Counts instructions by function, from the lines QEMU writes of each it executes (`log exec`), one by one. Pure. */

/** Where functions begin: ascending addresses, and the name of each. Only the low 48 bits of an address are kept. */
export interface Symbols {
  readonly addresses: Float64Array;
  readonly names: readonly string[];
}

/** Of an address in hexadecimal: 48 bits fit a number, and the upper ones only say whether it is the kernel's. */
const ADDRESS_DIGITS = 12;
const KERNEL_PREFIX = 'ffff';
/** What user space executes has no name. */
export const USER_SPACE = 'user space';

/** parseSymbols reads functions from the text of /proc/kallsyms, whose lines may come in any order. */
export function parseSymbols(text: string): Symbols {
  const entries = [...text.matchAll(/^[0-9a-f]{4}([0-9a-f]{12}) [tTwW] (\S+)/gm)]
    .map(([, address, name]) => ({ address: parseInt(address, 16), name }))
    .sort((a, b) => a.address - b.address);
  return {
    addresses: Float64Array.from(entries, ({ address }) => address),
    names: entries.map(({ name }) => name),
  };
}

/** Counted is what was executed of one function. */
export interface Counted {
  instructions: number;
  /** How often its first instruction was. */
  calls: number;
}

/** InstructionCounts adds up. */
export class InstructionCounts {
  readonly byName = new Map<string, Counted>();
  instructions = 0;
  /** Most lines name an address met before. */
  private readonly seen = new Map<string, { readonly counted: Counted; readonly isFirst: boolean }>();

  constructor(private readonly symbols: Symbols) {}

  /** add counts one line: `Trace CPU: 0xHOST [CS/ADDRESS/FLAGS/...] ...`; others are left out. */
  add(line: string): void {
    if (!line.startsWith('Trace ')) return;
    const begin = line.indexOf('/') + 1;
    const address = line.slice(begin, begin + 16);
    let known = this.seen.get(address);
    if (known === undefined) {
      if (begin === 0 || !/^[0-9a-f]{16}$/.test(address)) return;
      known = this.find(address);
      this.seen.set(address, known);
    }
    this.instructions++;
    known.counted.instructions++;
    if (known.isFirst) known.counted.calls++;
  }

  /** calls says how often a function was entered. */
  calls(name: string): number {
    return this.byName.get(name)?.calls ?? 0;
  }

  private find(address: string): { counted: Counted; isFirst: boolean } {
    const { addresses, names } = this.symbols;
    const at = parseInt(address.slice(-ADDRESS_DIGITS), 16);
    const index = address.startsWith(KERNEL_PREFIX) ? lastNotAbove(addresses, at) : -1;
    const name = index < 0 ? USER_SPACE : names[index];
    let counted = this.byName.get(name);
    if (counted === undefined) this.byName.set(name, (counted = { instructions: 0, calls: 0 }));
    return { counted, isFirst: index >= 0 && addresses[index] === at };
  }
}

function lastNotAbove(ascending: Float64Array, value: number): number {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ascending[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Part is where an instruction belongs, as far as a scheduler is concerned. */
export const PARTS = [
  "the scheduler's programs",
  'calls of them, and their helpers',
  'sched_ext',
  'the rest of the kernel',
  USER_SPACE,
] as const;
export type Part = (typeof PARTS)[number];

/** partOf goes by the function's name. */
export function partOf(name: string): Part {
  if (name === USER_SPACE) return USER_SPACE;
  if (/^bpf_prog_[0-9a-f]{16}_/.test(name)) return PARTS[0];
  if (/^_*bpf_/.test(name)) return PARTS[1];
  return name.includes('scx') ? PARTS[2] : PARTS[3];
}

/** shortName leaves out a program's hash, which changes with every byte of it. */
export const shortName = (name: string): string => name.replace(/^bpf_prog_[0-9a-f]{16}_/, '');
