import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * workspaceOf returns the folder a sandbox command may write to: the nearest folder at or above `cwd` with a .git or, failing that,
 * a package.json in it; else `cwd` itself.
 */
export function workspaceOf(cwd: string): string {
  const start = realpathSync(cwd);
  return nearestWith(start, '.git') ?? nearestWith(start, 'package.json') ?? start;
}

function nearestWith(start: string, name: string): string | undefined {
  for (let folder = start; folder !== '/'; folder = dirname(folder)) {
    if (existsSync(join(folder, name))) return folder;
  }
  return undefined;
}
