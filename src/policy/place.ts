/** Where a policy's error was thrown. */
import { fileURLToPath } from 'node:url';

/** Of this installation: as it runs, as source maps call it, and what it depends on. */
const OWN_FOLDERS = ['../../', '../../../src/', '../../../node_modules/'].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
);

/**
 * placeOf gives the first line of an error's stack that is neither ours nor Node's, such as `Mine.enqueue (/home/me/mine.ts:7:13)`;
 * nothing when there is none.
 */
export function placeOf(error: unknown): string {
  return linesOf(error).find(isElsewhere) ?? '';
}

/** placeOrOwn is the same, or the stack's first line, for policies that are ours. */
export function placeOrOwn(error: unknown): string {
  return placeOf(error) || (linesOf(error)[0] ?? '');
}

function linesOf(error: unknown): string[] {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  return [...stack.matchAll(/^ +at (.*)$/gm)].map(([, line = '']) =>
    line.replace('file://', '').replace(/^<anonymous> \((.*)\)$/, '$1'),
  );
}

function isElsewhere(line: string): boolean {
  const path = /(?:^|[( ])(\/.*):\d+:\d+\)?$/.exec(line)?.[1];
  return path !== undefined && !OWN_FOLDERS.some((folder) => path.startsWith(folder));
}
