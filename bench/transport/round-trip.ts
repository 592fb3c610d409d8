/** From one core to a spinning worker on another and back, by nl_ping. */
import { once } from 'node:events';
import type { NativeAddon } from '../../src/kernel/native-addon.js';
import { type Histogram, quantileNs, bucketStartNs, total } from '../../src/observe/histogram.js';
import { type Arena } from '../../src/shm/arena.js';
import { CPU, HIST, LIMIT } from '../../src/shm/layout.generated.js';
import { commandGo, commandStop, createControl } from '../../src/worker/control.js';
import { Loopback } from './loopback.js';
import { startThread } from './nodeland.js';

/** RoundTrip is the distribution of round trips in nanoseconds. */
export interface RoundTrip {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  /** The upper end of the highest bucket used. */
  readonly maxBucket: number;
  readonly n: number;
  /** Given up because no answer came within some 20 ms: the worker had lost its CPU. */
  readonly lost: number;
}

const PINGS_PER_RUN = 1000;
const TASKS = 64;

/** measureRoundTrip pins the calling thread to `feederCpu` for as long as it takes, and a worker to `workerCpu`. */
export async function measureRoundTrip(
  native: NativeAddon,
  feederCpu: number,
  workerCpu: number,
  pings: number,
): Promise<RoundTrip> {
  const control = createControl();
  const loopback = new Loopback(native, TASKS);
  const worker = await startThread({
    kind: 'spin',
    cpu: workerCpu,
    policy: 'fifo',
    session: loopback.session,
    byteLength: loopback.byteLength,
    control: control.buffer,
  });
  const allowed = native.threadAffinity();
  try {
    commandGo(control);
    native.pinThread([feederCpu]);
    pingTimes(loopback, PINGS_PER_RUN);
    const before = histogramOf(loopback.arena, feederCpu);
    const lost = pingTimes(loopback, pings);
    const after = histogramOf(loopback.arena, feederCpu);
    return summary(
      after.map((count, bucket) => count - (before[bucket] ?? 0)),
      lost,
    );
  } finally {
    native.pinThread(allowed);
    // Not terminated: Node 22 and 24 abort when that meets a module whose imports waited, as the built-in policies' does.
    const gone = once(worker, 'exit');
    commandStop(control);
    await gone;
    loopback.close();
  }
}

/** Pings in short runs, so that the kernel gets to do other things; tells how many were lost. */
function pingTimes(loopback: Loopback, pings: number): number {
  let lost = 0;
  for (let done = 0; done < pings;) {
    const wanted = Math.min(PINGS_PER_RUN, pings - done);
    const { tasks } = loopback.ping(wanted);
    if (tasks < wanted) lost++;
    done += tasks < wanted ? tasks + 1 : tasks;
  }
  return lost;
}

function histogramOf(arena: Arena, cpu: number): Histogram {
  const first = arena.cpusWord + cpu * CPU.words + CPU.word.hist + HIST.ASK * LIMIT.HIST_BUCKETS;
  return Float64Array.from(arena.words.subarray(first, first + LIMIT.HIST_BUCKETS));
}

function summary(histogram: Histogram, lost: number): RoundTrip {
  const quantile = (share: number): number => Math.round(quantileNs(histogram, share) ?? 0);
  const highest = histogram.findLastIndex((count) => count > 0);
  return {
    p50: quantile(0.5),
    p99: quantile(0.99),
    p999: quantile(0.999),
    maxBucket: bucketStartNs(highest + 1),
    n: total(histogram),
    lost,
  };
}
