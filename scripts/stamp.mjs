// Content stamps: a step is skipped when the hash of everything it reads is the one it last ran with.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { checkoutDir } from './paths.mjs';

/** All files below a folder of the checkout whose name ends as asked, sorted, as paths relative to the checkout. */
export function listFiles(folder, ...endings) {
  const top = join(checkoutDir, folder);
  if (!existsSync(top)) return [];
  return readdirSync(top, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && endings.some((ending) => entry.name.endsWith(ending)))
    .map((entry) => relative(checkoutDir, join(entry.parentPath ?? entry.path, entry.name)))
    .sort();
}

/** The hash of the names and contents of files (missing ones count as empty) and of any extra text. */
export function hashOf(files, ...extra) {
  const hash = createHash('sha256');
  for (const file of files) {
    const path = join(checkoutDir, file);
    hash
      .update(`${file}\0`)
      .update(existsSync(path) ? readFileSync(path) : '')
      .update('\0');
  }
  return hash.update(extra.join('\0')).digest('hex');
}

/** Reads a stamp (any JSON value), or undefined when there is none. */
export function readStamp(file) {
  try {
    return JSON.parse(readFileSync(join(checkoutDir, file), 'utf8'));
  } catch {
    return undefined;
  }
}

export function writeStamp(file, value) {
  const path = join(checkoutDir, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(value)}\n`);
}
