/** What the machine tells of a run, one line of JSON each, and what the rounds of it come to. Pure. */
import type { Figures } from './workload.js';
import type { Scheduler } from './scheduler.js';

/** Plan is what the machine is told to measure. */
export interface Plan {
  readonly rounds: number;
  readonly schedulers: readonly Scheduler[];
  readonly workloads: readonly string[];
}

/** Outcome is one line: figures of one workload, or why a scheduler was left out from there on. */
export type Outcome =
  | {
      readonly kind: 'measured';
      readonly round: number;
      readonly scheduler: string;
      readonly figures: Figures;
    }
  | { readonly kind: 'failed'; readonly round: number; readonly scheduler: string; readonly why: string };

/** Missing is a scheduler that was wanted and is not there. */
export interface Missing {
  readonly name: string;
  readonly why: string;
}

/** failuresOf lists the schedulers that were left out. */
export function failuresOf(outcomes: readonly Outcome[]): Missing[] {
  return outcomes.flatMap((outcome) =>
    outcome.kind === 'failed'
      ? [{ name: outcome.scheduler, why: `in round ${outcome.round + 1}, ${outcome.why}` }]
      : [],
  );
}

/** valuesOf gives a figure's values under one scheduler by round; rounds in which it was not measured are not in it. */
export function valuesOf(
  outcomes: readonly Outcome[],
  scheduler: string,
  key: string,
): ReadonlyMap<number, number> {
  const values = new Map<number, number>();
  for (const outcome of outcomes) {
    if (outcome.kind !== 'measured' || outcome.scheduler !== scheduler) continue;
    const value = outcome.figures[key];
    if (value !== undefined) values.set(outcome.round, value);
  }
  return values;
}

/** advantagesOf compares round by round: above 1 the second is better. Rounds that either has not are left out. */
export function advantagesOf(
  base: ReadonlyMap<number, number>,
  own: ReadonlyMap<number, number>,
  better: 'lower' | 'higher' = 'lower',
): number[] {
  return [...base].flatMap(([round, value]) => {
    const other = own.get(round);
    if (other === undefined) return [];
    return [better === 'higher' ? other / value : value / other];
  });
}
