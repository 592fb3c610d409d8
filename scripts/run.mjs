// Child processes for the scripts: output passed through or captured, and one way to stop with an exit code.
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { checkoutDir } from './paths.mjs';

/** Exit codes of this project: sysexits.h where one fits. */
export const exitCodes = { failure: 1, usage: 64, unavailable: 69, noPermission: 77 };

/** Ends a script with a message for the user and no stack trace. */
export class Stop extends Error {
  constructor(message, exitCode = exitCodes.failure) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Runs a script's main function; its result, when it is a number, is the exit code. */
export async function runMain(main) {
  try {
    const exitCode = await main();
    if (typeof exitCode === 'number') process.exitCode = exitCode;
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    console.error(`nodeland: ${error.message}`);
    process.exitCode = error.exitCode;
  }
}

/** Runs a command in the checkout with its output passed through; gives its exit code (128 + signal number as a shell does). */
export function run(command, args, options = {}) {
  const { status, signal, error } = spawnSync(command, args, {
    cwd: checkoutDir,
    stdio: 'inherit',
    ...options,
  });
  if (error) throw new Stop(`${command} could not be started: ${error.message}`);
  return status ?? (signal === 'SIGINT' ? 130 : 143);
}

/** Runs a command and gives its standard output, or undefined when it fails or does not exist. */
export function capture(command, args, options = {}) {
  const { status, stdout } = spawnSync(command, args, {
    cwd: checkoutDir,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    maxBuffer: 64 << 20,
    ...options,
  });
  return status === 0 ? stdout : undefined;
}

/** The full path of a command, looked for in PATH and in the system folders that an ordinary user's PATH leaves out. */
export function findCommand(name) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];
  for (const folder of folders) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not in this folder
    }
  }
  return undefined;
}

/** True when the script was started by itself and not imported by another one. */
export function isStartedDirectly(moduleUrl) {
  return process.argv[1] !== undefined && moduleUrl === new URL(`file://${process.argv[1]}`).href;
}
