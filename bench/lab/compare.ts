/**
 * Whether a ratio got worse, from the rounds of two results. Rounds of one process resemble each other more than those
 * of another (memory falls elsewhere, V8 decides otherwise), so the bootstrap draws processes first and rounds of each
 * then: Davison and Hinkley, "Bootstrap Methods and their Application", section 3.8, hierarchical data.
 */
import { quantileOf } from '../transport/statistics.js';
import { Random } from '../../src/sim/random.js';
import type { Result, ResultFigure } from './result.js';

/** Runs are one list of rounds per process. */
export type Runs = readonly (readonly number[])[];

/** Verdict on one figure: `slower` by more than the limit for certain, `ok` within it for certain, or neither. */
export type Verdict = 'ok' | 'slower' | 'cannot tell';

/** Comparison is one figure against the baseline's. */
export interface Comparison {
  readonly name: string;
  readonly baseline: number;
  readonly fresh: number;
  /** Share by which it got slower: 0.1 is 10 % slower, negative is faster. */
  readonly slowdown: number;
  /** The 95 % interval of the slowdown. */
  readonly low: number;
  readonly high: number;
  readonly verdict: Verdict;
}

/** LIMIT is the regression that fails, as a share. */
export const LIMIT = 0.15;

const RESAMPLES = 1000;
const TAIL = 0.025;

/**
 * compareRuns compares two sets of ratios of which more is better. The same input gives the same interval: the
 * bootstrap's random numbers have a fixed seed.
 *
 * @throws RangeError when either has no round
 */
export function compareRuns(name: string, baseline: Runs, fresh: Runs, limit = LIMIT): Comparison {
  const [base, now] = [medianOfRuns(baseline), medianOfRuns(fresh)];
  if (Number.isNaN(base) || Number.isNaN(now)) throw new RangeError(`${name} has no rounds`);
  const random = new Random(1);
  const slowdowns = Array.from({ length: RESAMPLES }, () =>
    slowdownOf(medianOfRuns(resample(baseline, random)), medianOfRuns(resample(fresh, random))),
  );
  const [low, high] = [quantileOf(slowdowns, TAIL), quantileOf(slowdowns, 1 - TAIL)];
  const verdict = low > limit ? 'slower' : high <= limit ? 'ok' : 'cannot tell';
  return { name, baseline: base, fresh: now, slowdown: slowdownOf(base, now), low, high, verdict };
}

/** compareResults compares every ratio that both have with its rounds. Others are named by {@link missingFigures}. */
export function compareResults(baseline: Result, fresh: Result, limit = LIMIT): Comparison[] {
  return fresh.figures.flatMap((figure) => {
    const base = counterpart(baseline, figure);
    if (base?.runs === undefined || figure.runs === undefined) return [];
    return [compareRuns(figure.name, base.runs, figure.runs, limit)];
  });
}

/** missingFigures names the baseline's ratios that a fresh result has not: renamed, or no longer measured. */
export function missingFigures(baseline: Result, fresh: Result): string[] {
  const compared = baseline.figures.filter(({ runs }) => runs !== undefined);
  return compared.filter((figure) => counterpart(fresh, figure) === undefined).map(({ name }) => name);
}

function counterpart(result: Result, { name, unit }: ResultFigure): ResultFigure | undefined {
  return result.figures.find((figure) => figure.name === name && figure.unit === unit);
}

/** Of the medians of the processes: one process that measured longer counts no more than another. */
function medianOfRuns(runs: Runs): number {
  return quantileOf(
    runs.map((rounds) => quantileOf(rounds, 0.5)),
    0.5,
  );
}

const slowdownOf = (baseline: number, fresh: number): number => baseline / fresh - 1;

function resample(runs: Runs, random: Random): Runs {
  return runs.map(() => {
    const rounds = runs[random.below(runs.length)];
    return rounds.map(() => rounds[random.below(rounds.length)]);
  });
}

/** comparisonText says what came out, by how much, and how sure. */
export function comparisonText({ name, baseline, fresh, slowdown, low, high, verdict }: Comparison): string {
  const percent = (share: number): string => `${share >= 0 ? '+' : ''}${(100 * share).toFixed(1)} %`;
  return (
    `${verdict.padEnd(12)} ${name}: ${fresh.toPrecision(3)}, baseline ${baseline.toPrecision(3)}; ` +
    `time ${percent(slowdown)}, 95 % interval ${percent(low)} to ${percent(high)}`
  );
}
