/** Reading sysfs and procfs: small text files that may be missing, unreadable or empty. */
import { readdirSync, readFileSync } from 'node:fs';
import { type Cpu } from './ids.js';
import { parseCpuList } from './cpulist.js';

/**
 * readText gives a file's trimmed text, or undefined when there is no such file or it cannot be read.
 * sysfs answers EIO, ENXIO or EINVAL for attributes that exist but do not apply: those read as missing too.
 */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** readNumber gives a file's decimal number, or undefined when the file is missing or holds no number. */
export function readNumber(path: string): number | undefined {
  const text = readText(path);
  return text !== undefined && /^-?\d+$/.test(text) ? Number(text) : undefined;
}

/** readCpuList gives a file's CPU list, or undefined when the file is missing. */
export function readCpuList(path: string): Cpu[] | undefined {
  const text = readText(path);
  return text === undefined ? undefined : parseCpuList(text);
}

/** numberedEntries gives the numbers N of a folder's entries `prefixN`, ascending; none when there is no folder. */
export function numberedEntries(path: string, prefix: string): number[] {
  let names: string[];
  try {
    names = readdirSync(path);
  } catch {
    return [];
  }
  return names
    .filter((name) => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)))
    .map((name) => Number(name.slice(prefix.length)))
    .sort((a, b) => a - b);
}
