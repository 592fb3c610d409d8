/**
 * Inside the sandbox: CPU hogs that all begin on node 0 and may go anywhere after a second, or not, under EEVDF and under
 * nodeland with less and less sharing switched off, in turn. One JSON line per measurement.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { program, underNodeland } from '../src/supervisor/load.js';

const CONFINED_MS = 1_000;
/** Two beats of the balancer. */
const SETTLE_MS = 2_000;
const WINDOW_MS = 3_000;
/** Of the times in proc(5): USER_HZ, which is 100 on every architecture that Node supports. */
const TICKS_PER_S = 100;
/** With room for the programs that let the hogs go, which take seconds in a crowded machine. */
const LOAD_S = 12;

/** SharingFigures is what one measurement found. */
export interface SharingFigures {
  /** CPU time of all hogs, as a share of what the CPUs had. */
  readonly usedShare: number;
  /** CPU time of the task that got least, as a share of the mean. */
  readonly leastShare: number;
}

/** Setting is a scheduler compared. */
interface Setting {
  /** Of `nodeland run`; without any it is the kernel's own. */
  readonly options?: readonly string[];
  /** Whether the hogs stay where they begin. */
  readonly staysConfined?: boolean;
}

const SHARING: Readonly<Record<string, Setting>> = {
  EEVDF: {},
  'confined to one node': { options: [], staysConfined: true },
  'stealing after 1 s': { options: ['--no-balance', '--steal-us', '1000000'] },
  'stealing at once': { options: ['--no-balance'] },
  nodeland: { options: [] },
};

const childrenOf = (pid: number): string[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');

/** User and system time of a process so far, in ticks: proc(5), fields 14 and 15 of stat. */
function ticksOf(pid: string): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

async function measure(staysConfined: boolean): Promise<SharingFigures> {
  const cpus = availableParallelism();
  const first = readFileSync('/sys/devices/system/node/node0/cpulist', 'utf8').trim();
  const load = ['--cpu', `${2 * cpus}`, '--cpu-method', 'loop', '-t', `${LOAD_S}`, '--quiet'];
  const child = spawn('taskset', ['-c', first, 'stress-ng', ...load], { stdio: 'ignore' });
  const ended = once(child, 'close');
  if (child.pid === undefined) throw new Error('taskset cannot be run');
  await sleep(CONFINED_MS);
  const workers = childrenOf(child.pid);
  if (!staysConfined) {
    for (const pid of workers) await program('taskset', ['-p', '-c', `0-${cpus - 1}`, pid]);
    await sleep(SETTLE_MS);
  }
  const startMs = performance.now();
  const before = workers.map(ticksOf);
  await sleep(WINDOW_MS);
  const ran = workers.map((pid, index) => ticksOf(pid) - (before[index] ?? 0));
  const seconds = (performance.now() - startMs) / 1000;
  await ended;
  const sum = ran.reduce((all, ticks) => all + ticks, 0);
  return {
    usedShare: sum / (TICKS_PER_S * seconds * cpus),
    leastShare: (Math.min(...ran) * ran.length) / sum,
  };
}

const [rounds = '1'] = process.argv.slice(2);
for (let round = 0; round < Number(rounds); round++) {
  for (const [scheduler, { options, staysConfined = false }] of Object.entries(SHARING)) {
    const load = (): Promise<SharingFigures> => measure(staysConfined);
    const figures = options === undefined ? await load() : await underNodeland(options, 'ignore', load);
    process.stdout.write(`${JSON.stringify({ scheduler, figures })}\n`);
    process.stderr.write(`round ${round + 1} of ${rounds}, ${scheduler}: ${JSON.stringify(figures)}\n`);
  }
}
