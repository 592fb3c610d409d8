/** Many simulations, one for each combination of values, in a piscina pool. */
import { availableParallelism } from 'node:os';
import { Piscina } from 'piscina';
import { type ExitCode, UserError } from '../cli/errors.js';
import type { SimRequest } from './request.js';
import type { SimResult } from './result.js';
import { simulate } from './simulate.js';

const ENTRY = new URL('../../workers/simulate.js', import.meta.url).href;

/** SweepOutcome is what a pool's thread answers: errors lose their class on the way from one thread to another. */
export type SweepOutcome =
  | { readonly ok: true; readonly result: SimResult }
  | { readonly ok: false; readonly message: string; readonly exitCode: ExitCode };

/** simulatePoint is a pool thread's work. */
export async function simulatePoint(request: SimRequest): Promise<SweepOutcome> {
  try {
    return { ok: true, result: (await simulate(request)).result };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { ok: false, message: error.message, exitCode: error.exitCode };
  }
}

/**
 * sweep simulates all of them, so many at a time as there are CPUs, and gives the results in their order.
 *
 * @param finished - told of each, in the order in which they end
 * @throws UserError of the first that fails
 */
export async function sweep(
  requests: readonly SimRequest[],
  finished: (index: number, result: SimResult) => void,
): Promise<SimResult[]> {
  const threads = Math.min(requests.length, availableParallelism());
  const pool = new Piscina<SimRequest, SweepOutcome>({
    filename: ENTRY,
    minThreads: threads,
    maxThreads: threads,
    concurrentTasksPerWorker: 1,
  });
  try {
    return await Promise.all(
      requests.map(async (request, index) => {
        const outcome = await pool.run(request);
        if (!outcome.ok) throw new UserError(outcome.message, outcome.exitCode);
        finished(index, outcome.result);
        return outcome.result;
      }),
    );
  } finally {
    await pool.destroy();
  }
}

/** SweepAxis is one parameter with its values. */
export interface SweepAxis {
  readonly name: string;
  readonly values: readonly string[];
}

/** SweepPoint is one value for each axis, in their order. */
export type SweepPoint = readonly string[];

/** sweepPoints are all combinations, the last axis changing fastest. */
export function sweepPoints(axes: readonly SweepAxis[]): readonly SweepPoint[] {
  return axes.reduce<readonly SweepPoint[]>(
    (points, { values }) => points.flatMap((point) => values.map((value) => [...point, value])),
    [[]],
  );
}
