/**
 * Inside the sandbox: threads that take one lock, without and with telling of their critical sections, in turn under one
 * `nodeland run`. One JSON line per measurement.
 */
import { availableParallelism } from 'node:os';
import { program, underNodeland } from '../src/supervisor/load.js';

const SECONDS = 1;
const HOLD_US = 100;
const WORK_US = 500;
const THREADS_PER_CPU = 3;
const TIMERS_PER_CPU = 1;

/** CriticalFigures is what build/bench/critical prints. */
export interface CriticalFigures {
  readonly opsPerS: number;
  /** Sections in which the holder lost its CPU. */
  readonly preempted: number;
  readonly meanWaitUs: number;
  readonly longestWaitUs: number;
  readonly longestHoldUs: number;
  /** What the others pay: threads that wake every 2 ms and compute for a little. */
  readonly timerLateUs: number;
  readonly timerLatestUs: number;
}

/** CriticalMeasurement is one line. */
export interface CriticalMeasurement {
  readonly lock: string;
  readonly request: boolean;
  readonly figures: CriticalFigures;
}

const [rounds = '1', binary = '', options = ''] = process.argv.slice(2);
const cpus = availableParallelism();

async function measure(lock: string, request: boolean): Promise<void> {
  const counts = [THREADS_PER_CPU * cpus, TIMERS_PER_CPU * cpus];
  const args = [lock, Number(request), ...counts, HOLD_US, WORK_US, SECONDS];
  const figures = JSON.parse(await program(binary, args.map(String))) as CriticalFigures;
  const measurement: CriticalMeasurement = { lock, request, figures };
  process.stdout.write(`${JSON.stringify(measurement)}\n`);
}

const run = ['--domains', 'one', ...options.split(' ').filter(Boolean)];
await underNodeland(run, 'ignore', async () => {
  for (let round = 0; round < Number(rounds); round++) {
    for (const lock of ['spin', 'mutex']) {
      // Neither of the two is always the first.
      const isRequestFirst = round % 2 === 1;
      await measure(lock, isRequestFirst);
      await measure(lock, !isRequestFirst);
    }
    process.stderr.write(`round ${round + 1} of ${rounds} done\n`);
  }
});
