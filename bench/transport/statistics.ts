/** What a series of measurements comes to. */

/** Figure sums up one measured quantity over the rounds. */
export interface Figure {
  /** Rounds. */
  readonly n: number;
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** medianOf is the middle one; of an even number, the mean of the two in the middle. */
export function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return NaN;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
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
