/** What a series of measurements comes to. */

/** Figure sums up one measured quantity over the rounds. */
export interface Figure {
  /** Rounds. */
  readonly n: number;
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** figureText is how a table shows one. */
export function figureText({ median, min, max }: Figure): string {
  return `${median} (${min}..${max})`;
}

/** quantileOf is the value that `share` of the values are below, between two of them by proportion; NaN of none. */
export function quantileOf(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  const at = (sorted.length - 1) * share;
  const below = sorted[Math.floor(at)] ?? NaN;
  const above = sorted[Math.ceil(at)] ?? NaN;
  return below + (above - below) * (at - Math.floor(at));
}

/** medianOf is the middle one; of an even number, the mean of the two in the middle. */
export function medianOf(values: readonly number[]): number {
  return quantileOf(values, 0.5);
}

/** figureOf sums values up, rounded to `digits` after the point. */
export function figureOf(values: readonly number[], digits = 2): Figure {
  const round = (value: number): number => Number(value.toFixed(digits));
  return {
    n: values.length,
    median: round(medianOf(values)),
    min: round(Math.min(...values)),
    max: round(Math.max(...values)),
  };
}
