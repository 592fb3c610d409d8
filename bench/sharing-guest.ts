/**
 * Inside the sandbox: CPU hogs that all begin on node 0 and may go anywhere after a second, under EEVDF and under nodeland
 * with less and less sharing switched off, in turn. One JSON line per measurement.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { program, underNodeland } from '../src/supervisor/load.js';

const CONFINED_MS = 1_000;
const SECONDS = 5;

/** SharingFigures is what one measurement found. */
export interface SharingFigures {
  readonly bogoOps: number;
  /** CPU time of the task that got least, as a share of the mean. */
  readonly leastShare: number;
}

/** The schedulers compared, with the options of `nodeland run`; undefined is the kernel's own. */
const SHARING: Readonly<Record<string, readonly string[] | undefined>> = {
  EEVDF: undefined,
  'no sharing': ['--no-balance', '--steal-us', '1000000'],
  stealing: ['--no-balance'],
  nodeland: [],
};

const childrenOf = (pid: number): string[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');

/** User and system time of a process so far, in ticks: proc(5), fields 14 and 15 of stat. */
function ticksOf(pid: string): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

async function measure(): Promise<SharingFigures> {
  const cpus = availableParallelism();
  const first = readFileSync('/sys/devices/system/node/node0/cpulist', 'utf8').trim();
  const load = [
    '--cpu',
    `${2 * cpus}`,
    '--cpu-method',
    'loop',
    '-t',
    `${SECONDS}`,
    '--metrics-brief',
    '--stdout',
  ];
  const child = spawn('taskset', ['-c', first, 'stress-ng', ...load], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = once(child, 'close');
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  if (child.pid === undefined) throw new Error('taskset cannot be run');
  await sleep(CONFINED_MS);
  const workers = childrenOf(child.pid);
  for (const pid of workers) await program('taskset', ['-p', '-c', `0-${cpus - 1}`, pid]);
  const before = workers.map(ticksOf);
  await sleep((SECONDS - 1) * 1000 - CONFINED_MS);
  const ran = workers.map((pid, index) => ticksOf(pid) - (before[index] ?? 0));
  await ended;
  return {
    bogoOps: Number(/ cpu\s+(\d+)/.exec(out)?.[1]),
    leastShare: Math.min(...ran) / (ran.reduce((sum, ticks) => sum + ticks, 0) / ran.length),
  };
}

const [rounds = '1'] = process.argv.slice(2);
for (let round = 0; round < Number(rounds); round++) {
  for (const [scheduler, options] of Object.entries(SHARING)) {
    const figures = options === undefined ? await measure() : await underNodeland(options, 'ignore', measure);
    process.stdout.write(`${JSON.stringify({ scheduler, figures })}\n`);
    process.stderr.write(`round ${round + 1} of ${rounds}, ${scheduler}: ${JSON.stringify(figures)}\n`);
  }
}
