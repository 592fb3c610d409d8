/** Durations, all of them, and what they come to. */
import { z } from 'zod';

const ns = z.number().min(0);

/** Percentiles of durations in nanoseconds, exact. */
export const percentilesSchema = z.strictObject({
  count: z.int().min(0),
  meanNs: ns,
  p50Ns: ns,
  p90Ns: ns,
  p99Ns: ns,
  p999Ns: ns,
  maxNs: ns,
});

export type Percentiles = Readonly<z.output<typeof percentilesSchema>>;

const FIRST_CAPACITY = 1024;

/** Samples grows as they come. */
export class Samples {
  private values = new Float64Array(FIRST_CAPACITY);
  private length = 0;
  private sumNs = 0;

  get count(): number {
    return this.length;
  }

  add(durationNs: number): void {
    if (this.length === this.values.length) {
      const larger = new Float64Array(2 * this.length);
      larger.set(this.values);
      this.values = larger;
    }
    this.values[this.length++] = durationNs;
    this.sumNs += durationNs;
  }

  /** percentiles are by nearest rank: durations that were, none between two. All 0 without any. */
  percentiles(): Percentiles {
    const sorted = this.values.slice(0, this.length).sort();
    const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * this.length) - 1)] ?? 0;
    return {
      count: this.length,
      meanNs: this.length === 0 ? 0 : Math.round(this.sumNs / this.length),
      p50Ns: at(0.5),
      p90Ns: at(0.9),
      p99Ns: at(0.99),
      p999Ns: at(0.999),
      maxNs: at(1),
    };
  }
}
