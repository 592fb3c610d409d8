/** Programs that load a machine, run as children, and what they print. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** What users run, whether this is of lib/ or of dist/. */
const CLI = fileURLToPath(new URL('../../../lib/src/cli/main.js', import.meta.url));

/** Latency is what cyclictest says: from timer to running, over all its threads. */
export interface Latency {
  readonly averageUs: number;
  readonly maxUs: number;
}

/** parseCyclictest reads the last line of each of cyclictest's threads (`-q`). */
export function parseCyclictest(text: string): Latency {
  const threads = [...text.matchAll(/Avg:\s*(\d+)\s+Max:\s*(\d+)/g)];
  if (threads.length === 0) throw new Error(`cyclictest printed no latencies: ${text.slice(0, 200)}`);
  return {
    averageUs: threads.reduce((sum, [, average]) => sum + Number(average), 0) / threads.length,
    maxUs: Math.max(...threads.map(([, , max]) => Number(max))),
  };
}

/** program runs a command and gives its stdout. @throws Error when it is missing or fails, with what it said */
export function program(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    child.on('error', (cause) => {
      reject(new Error(`${command} cannot be run (${cause.message}); npm start installs it`, { cause }));
    });
    child.on('close', (code, signal) => {
      if (code === 0) resolve(out);
      else reject(new Error(`${command} failed (${signal ?? code}): ${err.slice(-300)}`));
    });
  });
}

/**
 * underNodeland runs `nodeland run` with these options as a child, `work` while it is attached, and then stops it.
 * Never in one process: a fork makes all of the parent's memory copy-on-write, and its workers would fault on it.
 *
 * @param stdout - where the child's tables go
 * @throws Error with the child's log when it ends before it is attached, or with another exit code than 0
 */
export async function underNodeland<Result>(
  options: readonly string[],
  stdout: 'inherit' | 'ignore',
  work: (pid: number) => Promise<Result>,
): Promise<Result> {
  const child = spawn(process.execPath, [CLI, 'run', ...options], { stdio: ['ignore', stdout, 'pipe'] });
  const ended = once(child, 'exit') as Promise<[number | null]>;
  let log = '';
  const attached = new Promise<void>((resolve, reject) => {
    child.stderr.on('data', (chunk: Buffer) => {
      log += chunk.toString();
      if (log.includes('"attached:')) resolve();
    });
    void ended.then(() => {
      reject(new Error(`nodeland ended before it was attached:\n${log}`));
    });
  });
  await attached;
  const result = await work(Number(child.pid)).finally(() => child.kill('SIGINT'));
  const [code] = await ended;
  if (code !== 0) throw new Error(`nodeland ended with ${String(code)}:\n${log}`);
  return result;
}
