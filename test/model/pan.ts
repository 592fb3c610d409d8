/** Runs spin: a model is translated to a C program, which visits every state. All of it in a temporary folder. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execFileOf = promisify(execFile);

/** Far above what any of the models needs; reaching it is told by pan, and is then a failure here. */
const MAX_DEPTH = 1_000_000;
/** MB; a search that would need more ends with "out of memory". */
const MEMORY_LIMIT_MB = 3_000;
const OUTPUT_BYTES_MAX = 8 << 20;

/** Search is what one run of pan came to. */
export interface Search {
  readonly states: number;
  readonly errors: number;
  /** What was violated first; undefined without errors. */
  readonly violation: string | undefined;
  /** Whether every state was visited. A search that found an error stops there. */
  readonly isComplete: boolean;
  readonly output: string;
}

/** whyNoSpin tells what is missing to check models, or undefined. */
export function whyNoSpin(): string | undefined {
  const missing = ['spin', 'cc'].filter((command) => spawnSync(command, ['--version']).error !== undefined);
  return missing.length > 0 ? `${missing.join(' and ')} not installed` : undefined;
}

/**
 * search visits the states of a model with the given definitions, as in `FLIPS=1`. Compiling takes longer than a search
 * that is over soon: `optimize` is for the others.
 */
export async function search(
  model: string,
  definitions: readonly string[],
  { optimize }: { readonly optimize: boolean },
): Promise<Search> {
  const folder = await mkdtemp(join(tmpdir(), 'nodeland-model-'));
  try {
    const run = (command: string, args: readonly string[]) =>
      execFileOf(command, args, { cwd: folder, maxBuffer: OUTPUT_BYTES_MAX });
    await run('spin', ['-a', ...definitions.map((definition) => `-D${definition}`), model]);
    const limits = ['-DSAFETY', '-DCOLLAPSE', `-DMEMLIM=${MEMORY_LIMIT_MB}`];
    await run('cc', [optimize ? '-O1' : '-O0', '-w', ...limits, '-o', 'pan', 'pan.c']);
    // pan's exit code does not tell what it found: its output does.
    const { stdout } = await run('./pan', [`-m${MAX_DEPTH}`, '-w22']);
    return readSearch(stdout);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function readSearch(output: string): Search {
  const number = (pattern: RegExp): number => Number(pattern.exec(output)?.[1] ?? Number.NaN);
  return {
    states: number(/^\s*(\d+) states, stored/m),
    errors: number(/errors: (\d+)$/m),
    violation: /^pan:\d+: (.*) \(at depth \d+\)$/m.exec(output)?.[1],
    isComplete: !/too small|out of memory|not completed|aborted|truncated|interrupted/i.test(output),
    output,
  };
}
