/** Where a result comes from: machine, kernel, versions, commit. */
import { spawnSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';
import { packageRoot, packageVersion } from '../../src/cli/package-info.js';
import type { Result } from './result.js';

/** Provenance is what a result says of the machine and the program; it names neither host nor paths. */
export type Provenance = Pick<Result, 'machine' | 'kernel' | 'node' | 'v8' | 'nodeland' | 'commit'>;

/** provenance asks the machine and git. */
export function provenance(): Provenance {
  return {
    machine: {
      cpu: cpus().at(0)?.model ?? 'unknown',
      cpus: cpus().length,
      memoryMiB: Math.round(totalmem() / 2 ** 20),
    },
    kernel: release(),
    node: process.version,
    v8: process.versions.v8,
    nodeland: packageVersion(),
    commit: commit(),
  };
}

function commit(): Result['commit'] {
  const hash = git('rev-parse', 'HEAD');
  const changed = git('status', '--porcelain', '--', '.', ':!bench/results');
  return hash === undefined || changed === undefined ? null : { hash, dirty: changed !== '' };
}

function git(...args: string[]): string | undefined {
  const { status, stdout } = spawnSync('git', args, { cwd: packageRoot(), encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}
