/**
 * CPU lists as the kernel and taskset write them: `0-3,8-11`, with strides `0-6:2` (taskset: 0,2,4,6)
 * and groups `0-15:2/8` (kernel, lib/bitmap.c bitmap_parselist: the first 2 of every 8).
 */
import { type Cpu, cpu } from './ids.js';

/** Larger than any kernel's NR_CPUS; keeps `0-4294967295` from filling memory. */
const HIGHEST_CPU = 65535;

/** How often a list may name CPUs in all, one named twice counted twice; keeps a long one from taking minutes. */
const MOST_NAMED = 2 * (HIGHEST_CPU + 1);
const LONGEST_SHOWN = 40;

const RANGE = /^(\d{1,10})(?:-(\d{1,10})(?::(\d{1,10})(?:\/(\d{1,10}))?)?)?$/;

/** CpuListError says which part of a CPU list cannot be read and why. */
export class CpuListError extends Error {
  override name = 'CpuListError';
}

/**
 * parseCpuList reads a CPU list into ascending, distinct CPU numbers. An empty list (as sysfs has it
 * for "no CPU offline") gives an empty array. Space around parts is ignored.
 *
 * @throws {@link CpuListError} naming the part that cannot be read.
 */
export function parseCpuList(text: string): Cpu[] {
  const trimmed = text.trim();
  if (trimmed === '') return [];
  const found = new Set<number>();
  let named = 0;
  for (const part of trimmed.split(',')) {
    named += addRange(part.trim(), found);
    if (named > MOST_NAMED) throw new CpuListError('the list names the same CPUs over and over');
  }
  return [...found].sort((a, b) => a - b).map(cpu);
}

/** Returns how many numbers the part stands for. */
function addRange(part: string, found: Set<number>): number {
  const match: readonly (string | undefined)[] | null = RANGE.exec(part);
  if (!match) {
    const what = part === '' ? 'an empty part' : JSON.stringify(shortened(part));
    throw new CpuListError(`${what} is not a CPU number or a range such as 0-3 or 0-6:2`);
  }
  const first = Number(match[1]);
  const last = match[2] === undefined ? first : Number(match[2]);
  if (last < first) throw new CpuListError(`range ${part} runs backwards`);
  if (last > HIGHEST_CPU) throw new CpuListError(`${part} is beyond the highest CPU number ${HIGHEST_CPU}`);

  const groups = match[4] !== undefined;
  const taken = groups ? Number(match[3]) : 1;
  const period = groups ? Number(match[4]) : Number(match[3] ?? 1);
  if (period === 0 || taken === 0) throw new CpuListError(`a stride of 0 in ${part}`);
  if (taken > period) throw new CpuListError(`${part} takes ${taken} of every ${period}`);
  let named = 0;
  for (let start = first; start <= last; start += period) {
    for (let value = start; value < start + taken && value <= last; value++, named++) found.add(value);
  }
  return named;
}

function shortened(text: string): string {
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}...` : text;
}

/** formatCpuList writes CPUs as a list of ranges, ascending: [0,1,2,8] gives `0-2,8`. */
export function formatCpuList(cpus: Iterable<number>): string {
  const sorted = [...new Set(cpus)].sort((a, b) => a - b);
  const parts: string[] = [];
  let first: number | undefined;
  let previous = -1;
  const close = (): void => {
    if (first !== undefined) parts.push(first === previous ? `${first}` : `${first}-${previous}`);
  };
  for (const value of sorted) {
    if (first === undefined || value !== previous + 1) {
      close();
      first = value;
    }
    previous = value;
  }
  close();
  return parts.join(',');
}
