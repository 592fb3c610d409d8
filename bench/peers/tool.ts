/** Programs that build a peer: with a limit, their output in a file, and what went wrong in a few lines. */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { findProgram } from '../../src/sandbox/programs.js';

const REASON_LINES = 3;
/** How `timeout` ends when it had to end the program: timeout(1). */
const TIMED_OUT = 124;

/** BuildLimits says how much of this machine, and how long, one peer may take. */
export interface BuildLimits {
  readonly jobs: number;
  readonly minutes: number;
}

/** ToolRun is one program's run. */
export interface ToolRun {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly minutes: number;
  /** Gets all its output; what was there before goes. */
  readonly logFile: string;
}

/** runTool runs a program to its end. @throws Error with the lines of its output that tell most */
export function runTool(
  command: string,
  args: readonly string[],
  { env, cwd, minutes, logFile }: ToolRun,
): void {
  mkdirSync(dirname(logFile), { recursive: true });
  const log = openSync(logFile, 'w');
  try {
    // As a program of its own: it ends what the program has started as well.
    const { status, error } = spawnSync('timeout', ['-k', '10', `${minutes}m`, command, ...args], {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', log, log],
    });
    if (status === 0) return;
    if (error !== undefined) throw error;
    const why = status === TIMED_OUT ? `was not done in ${minutes} minutes` : `ended with ${String(status)}`;
    throw new Error([`${command} ${why}`, ...tellingLines(readFileSync(logFile, 'utf8'))].join('; '));
  } finally {
    closeSync(log);
  }
}

/** tellingLines picks the first lines that speak of an error, or else the last ones. */
export function tellingLines(output: string): string[] {
  const lines = output
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
  const errors = lines.filter((line) => /\berror\b|\*\*\*|not found|cannot find/i.test(line));
  return errors.length > 0 ? errors.slice(0, REASON_LINES) : lines.slice(-REASON_LINES);
}

/** requireTool gives the first of these programs that is there. @throws Error that names them */
export function requireTool(...names: readonly string[]): string {
  const found = names.map(findProgram).find((path) => path !== undefined);
  if (found === undefined) throw new Error(`needs ${names.join(' or ')}, which is not installed`);
  return found;
}

/** messageOf is what a peer's failure says of itself. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
