/** The log-linear histograms that the kernel side keeps: NL_HIST_SUB_BITS bits below each power of two of nanoseconds. */
import { LIMIT } from '../shm/layout.generated.js';

const SUB = 1 << LIMIT.HIST_SUB_BITS;

/** bucketStartNs is the smallest duration that falls into a bucket. */
export function bucketStartNs(bucket: number): number {
  if (bucket < SUB) return bucket;
  const exponent = (bucket >> LIMIT.HIST_SUB_BITS) - 1;
  return (SUB + (bucket & (SUB - 1))) * 2 ** exponent;
}

/** bucketOf is where the kernel side counts a duration. */
export function bucketOf(ns: number): number {
  const whole = Math.floor(ns);
  if (whole < SUB) return Math.max(whole, 0);
  const high = Math.floor(whole / 2 ** 32);
  const exponent = high > 0 ? 63 - Math.clz32(high) : 31 - Math.clz32(whole);
  const shift = exponent - LIMIT.HIST_SUB_BITS;
  const bucket = ((shift + 1) << LIMIT.HIST_SUB_BITS) | (Math.floor(whole / 2 ** shift) & (SUB - 1));
  return Math.min(bucket, LIMIT.HIST_BUCKETS - 1);
}

/** Histogram is counts by bucket. */
export type Histogram = Float64Array;

/** total is how many durations a histogram holds. */
export function total(histogram: Histogram): number {
  return histogram.reduce((sum, count) => sum + count, 0);
}

/**
 * quantileNs is the duration below which a share of the durations lies, interpolated within its bucket (at most a
 * quarter of its value wide); undefined when there are none.
 *
 * @param share - from 0 to 1
 */
export function quantileNs(histogram: Histogram, share: number): number | undefined {
  const wanted = total(histogram) * share;
  if (total(histogram) === 0) return undefined;
  let seen = 0;
  for (const [bucket, count] of histogram.entries()) {
    if (count > 0 && seen + count >= wanted) {
      const start = bucketStartNs(bucket);
      return start + ((bucketStartNs(bucket + 1) - start) * (wanted - seen)) / count;
    }
    seen += count;
  }
  return bucketStartNs(histogram.length);
}
