/** The log-linear histograms that the kernel side keeps: NL_HIST_SUB_BITS bits below each power of two of nanoseconds. */
import { LIMIT } from '../shm/layout.generated.js';

const SUB = 1 << LIMIT.HIST_SUB_BITS;

/** bucketStartNs is the smallest duration that falls into a bucket. */
export function bucketStartNs(bucket: number): number {
  if (bucket < SUB) return bucket;
  const exponent = (bucket >> LIMIT.HIST_SUB_BITS) - 1;
  return (SUB + (bucket & (SUB - 1))) * 2 ** exponent;
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
