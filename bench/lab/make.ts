/** The benchmarks' C programs, which are built when first needed. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { EXIT, UserError } from '../../src/cli/errors.js';
import { packageRoot } from '../../src/cli/package-info.js';

const SOURCES = join(packageRoot(), 'bench');

/** makeProgram builds build/bench/NAME from bench/NAME.c. @throws UserError with what make said */
export function makeProgram(name: string): void {
  const { status, stdout, stderr, error } = spawnSync(
    'make',
    ['--no-print-directory', '-s', '-C', SOURCES, name],
    { encoding: 'utf8' },
  );
  if (status === 0) return;
  const why = error?.message ?? `${stdout}${stderr}`.trim();
  throw new UserError(`bench/${name}.c cannot be built: ${why}`, EXIT.unavailable);
}
