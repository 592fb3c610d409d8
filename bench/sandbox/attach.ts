/** Schedulers inside the machine. A peer's command attaches one, which the kernel tells of, and detaches it when signalled. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { underNodeland } from '../../src/supervisor/load.js';
import type { Peer, Scheduler } from './scheduler.js';

const SCHED_EXT = '/sys/kernel/sched_ext';
const POLL_MS = 50;
const TAIL_CHARACTERS = 2000;
const TAIL_LINES = 8;

/** AttachLimits bounds a peer's steps. */
export interface AttachLimits {
  readonly attachMs: number;
  /** For each of SIGINT, SIGTERM and SIGKILL. */
  readonly endMs: number;
}

const LIMITS: AttachLimits = { attachMs: 30_000, endMs: 10_000 };

/** attachedName gives the sched_ext scheduler's name, as it calls itself; undefined when none is attached. */
export function attachedName(schedExt = SCHED_EXT): string | undefined {
  const read = (file: string): string | undefined => {
    try {
      return readFileSync(join(schedExt, file), 'utf8').trim();
    } catch {
      // root/ is there only while one is attached.
      return undefined;
    }
  };
  const name = read('state') === 'enabled' ? read('root/ops') : undefined;
  return name === '' ? undefined : name;
}

/**
 * underScheduler does `work` while a scheduler is attached.
 *
 * @param work - gets the name the scheduler has in the kernel; undefined for the kernel's own
 * @throws Error with what the scheduler said when it does not attach
 */
export function underScheduler<Result>(
  scheduler: Scheduler,
  work: (attached?: string) => Promise<Result>,
): Promise<Result> {
  switch (scheduler.kind) {
    case 'kernel':
      return work();
    case 'nodeland':
      return underNodeland(scheduler.options, 'ignore', () => work(attachedName()));
    case 'peer':
      return underPeer(scheduler, work);
  }
}

/**
 * underPeer starts a peer, does `work` while it is attached and ends it.
 *
 * @param work - gets the name the scheduler has in the kernel
 * @throws Error with the peer's last lines when it does not attach in time
 */
export async function underPeer<Result>(
  peer: Peer,
  work: (attached: string) => Promise<Result>,
  limits = LIMITS,
  schedExt = SCHED_EXT,
): Promise<Result> {
  const before = attachedName(schedExt);
  if (before !== undefined) throw new Error(`${before} is attached already`);
  // A group of its own: a shell or a wrapper in between is ended with it.
  const child = spawn('/bin/sh', ['-c', peer.command], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const tail = tailOf(child);
  try {
    return await work(await attached(child, limits.attachMs, schedExt));
  } catch (cause) {
    const said = tail();
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(said === '' ? `${why}; it said nothing` : `${why}:\n${said}`, { cause });
  } finally {
    await endGroup(child, limits.endMs);
    await until(() => attachedName(schedExt) === undefined, limits.endMs);
  }
}

async function attached(child: ChildProcess, limitMs: number, schedExt: string): Promise<string> {
  let name: string | undefined;
  await until(() => (name = attachedName(schedExt)) !== undefined || hasEnded(child), limitMs);
  if (name !== undefined) return name;
  if (hasEnded(child)) throw new Error(`ended with ${child.signalCode ?? child.exitCode} before it attached`);
  throw new Error(`did not attach within ${limitMs / 1000} s`);
}

const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean =>
  exitCode !== null || signalCode !== null;

/** Both streams are read all the time: a scheduler that prints must not wait for a reader. */
function tailOf(child: ChildProcess): () => string {
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => (text = (text + chunk.toString()).slice(-TAIL_CHARACTERS)));
  return () => text.split('\n').filter(Boolean).slice(-TAIL_LINES).join('\n');
}

async function until(isSo: () => boolean, limitMs: number): Promise<void> {
  for (const start = performance.now(); !isSo() && performance.now() - start < limitMs;) await sleep(POLL_MS);
}

/** Until nobody of the group is left: the shell may be gone before what it started has put things back. */
async function endGroup({ pid }: ChildProcess, limitMs: number): Promise<void> {
  if (pid === undefined) return;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const) {
    if (!signalGroup(pid, signal)) return;
    await until(() => !signalGroup(pid, 0), limitMs);
  }
}

/** false when there is nobody. */
function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-pid, signal);
  } catch {
    return false;
  }
}
