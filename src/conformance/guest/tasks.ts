/** Real tasks in the machine: shells that compute, and what the kernel says of them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/** Hog is a shell that never sleeps. */
export class Hog {
  private constructor(
    readonly nice: number,
    private readonly child: ChildProcess,
    readonly pid: number,
  ) {}

  /** start makes one; `cpus` is a list as taskset takes it. */
  static async start(nice: number, cpus?: string): Promise<Hog> {
    const script = 'while :; do :; done';
    const command = cpus === undefined ? ['sh', '-c', script] : ['taskset', '-c', cpus, 'sh', '-c', script];
    const child = spawn(command[0], command.slice(1), { stdio: 'ignore' });
    await new Promise((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    if (child.pid === undefined) throw new Error('a hog did not start');
    setPriority(child.pid, nice);
    return new Hog(nice, child, child.pid);
  }

  /** cpuNs and waitNs by the kernel's accounts (schedstat: time on a CPU, time waiting, turns). */
  times(): { cpuNs: number; waitNs: number; turns: number } {
    const [cpuNs, waitNs, turns] = readFileSync(`/proc/${this.pid}/schedstat`, 'utf8').split(' ').map(Number);
    return { cpuNs, waitNs, turns };
  }

  /** cpu is where it runs or ran last (proc(5): field 39 of stat). */
  cpu(): number {
    const stat = readFileSync(`/proc/${this.pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[36]);
  }

  stop(): void {
    this.child.kill('SIGKILL');
  }
}

/** cpuTicks are all CPUs' idle time and time in all, in clock ticks. */
export function cpuTicks(): { idle: number; total: number } {
  const [line] = readFileSync('/proc/stat', 'utf8').split('\n');
  const ticks = line.split(/\s+/).slice(1, 9).map(Number);
  return { idle: ticks[3] + ticks[4], total: ticks.reduce((sum, each) => sum + each) };
}

/** ran runs a shell script at a nice value and resolves with whether it ended well within the time. */
export async function ran(script: string, nice: number, limitMs: number): Promise<boolean> {
  const child = spawn('nice', ['-n', String(nice), 'sh', '-c', script], { stdio: 'ignore' });
  const end = new Promise<boolean>((resolve) => {
    child.once('error', () => {
      resolve(false);
    });
    child.once('close', (code) => {
      resolve(code === 0);
    });
  });
  const limit = new AbortController();
  const inTime = await Promise.race([
    end,
    sleep(limitMs, false, { signal: limit.signal }).catch(() => false),
  ]);
  limit.abort();
  if (!inTime) child.kill('SIGKILL');
  return inTime;
}

/** outputOf runs a program to its end and resolves with what it printed; undefined where there is no such program. */
export async function outputOf(command: readonly string[]): Promise<string | undefined> {
  const child = spawn(command[0], command.slice(1), { stdio: ['ignore', 'pipe', 'ignore'] });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return new Promise((resolve) => {
    child.once('error', () => {
      resolve(undefined);
    });
    child.once('close', () => {
      resolve(text);
    });
  });
}
