/**
 * Inside the sandbox: threads that take one lock, without and with telling of their critical sections, in turn under one
 * `nodeland run`. One JSON line per measurement.
 */
import { availableParallelism } from 'node:os';
import { program, underNodeland } from '../src/supervisor/load.js';

const SECONDS = 2;
const WORK_US = 600;
const HOLD_US = 200;

/** CriticalFigures is what build/bench/critical prints. */
export interface CriticalFigures {
  readonly opsPerS: number;
  /** Sections in which the holder lost its CPU. */
  readonly preempted: number;
  readonly longestWaitUs: number;
  readonly longestHoldUs: number;
  /** What threads got done that only compute. */
  readonly hogOpsPerS: number;
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
  const args = [
    lock,
    Number(request),
    ...[2 * cpus, cpus, HOLD_US, WORK_US, SECONDS],
  ].map(String);
  const figures = JSON.parse(await program(binary, args)) as CriticalFigures;
  const measurement: CriticalMeasurement = { lock, request, figures };
  process.stdout.write(`${JSON.stringify(measurement)}\n`);
}

await underNodeland(options.split(' ').filter(Boolean), 'ignore', async () => {
  for (let round = 0; round < Number(rounds); round++) {
    for (const lock of ['spin', 'mutex']) {
      // The first of two has no advantage.
      const isRequestFirst = round % 2 === 1;
      await measure(lock, isRequestFirst);
      await measure(lock, !isRequestFirst);
    }
    process.stderr.write(`round ${round + 1} of ${rounds} done\n`);
  }
});
