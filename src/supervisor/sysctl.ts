/** Kernel settings that are changed while the scheduler is attached, and put back afterwards. */
import { readFileSync, writeFileSync } from 'node:fs';

/** Restore puts a setting back; it tells whether that worked. Calling it again does nothing. */
export type Restore = () => boolean;

/**
 * setSysctl writes a setting and returns how to put the old value back; undefined when the file cannot be read or
 * written (containers forbid it).
 *
 * @param name - as sysctl(8) has it, e.g. `vm.compact_unevictable_allowed`
 */
export function setSysctl(name: string, value: string): Restore | undefined {
  const path = `/proc/sys/${name.replaceAll('.', '/')}`;
  let before: string;
  try {
    before = readFileSync(path, 'utf8').trim();
    if (before !== value) writeFileSync(path, value);
  } catch {
    return undefined;
  }
  let done = before === value;
  return () => {
    if (done) return true;
    try {
      writeFileSync(path, before);
      done = true;
      return true;
    } catch {
      return false;
    }
  };
}
