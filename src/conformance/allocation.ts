/** The hot path allocates nothing, as far as the size of the heap shows. */
import { getHeapStatistics } from 'node:v8';
import { SimFeed } from '../kernel/sim-feed.js';
import { parseOptions } from '../policy/options.js';
import { letInline } from '../worker/compiler.js';
import { BATCH_TASKS, DomainLoop } from '../worker/domain-loop.js';
import { type Check, type Subject, verdict } from './check.js';
import { SLICE_US } from './simulate.js';

const DECISIONS = 100_000;
const SLOTS = 256;
/** The compiler works beside the program: one quiet round is enough, and what allocates is never quiet. */
const ROUNDS_MAX = 12;
/** Less than one byte for each decision; looking at the heap takes some of it. */
const GROWTH_MAX_BYTES = 65_536;

export const noAllocation: Check = {
  name: 'no allocation',
  claim: 'the heap does not grow over 100,000 decisions',
  run: (subject) => {
    letInline();
    let least = Infinity;
    for (let round = 0; round < ROUNDS_MAX && least > GROWTH_MAX_BYTES; round++) {
      const grown = growthBytes(subject);
      if (grown < least) least = grown;
    }
    return verdict(
      least <= GROWTH_MAX_BYTES,
      Number.isFinite(least)
        ? `the heap grew by ${least} bytes (at most ${GROWTH_MAX_BYTES})`
        : 'the heap was collected in every round',
    );
  },
};

/** Heap growth over so many decisions; Infinity when a collection fell into them. */
function growthBytes({ policy, options }: Subject): number {
  const feed = new SimFeed(SLOTS);
  const loop = new DomainLoop(feed.arena, {
    domain: 0,
    policy,
    options: parseOptions(policy, options),
    ask: 'auto',
    sliceUs: SLICE_US,
  });
  decide(feed, loop, DECISIONS / 4);
  const before = getHeapStatistics().used_heap_size;
  decide(feed, loop, DECISIONS);
  const after = getHeapStatistics().used_heap_size;
  return after < before ? Infinity : after - before;
}

/** Full batches, small ones and empty turns; a policy that decides nothing is given up on. */
function decide(feed: SimFeed, loop: DomainLoop, count: number): void {
  const end = feed.decided + count;
  for (let turn = 0; feed.decided < end && turn < count; turn++) {
    feed.push(turn % 16 === 0 ? BATCH_TASKS : turn & 3);
    loop.batch();
    feed.drain();
    feed.setIdle(turn & 1);
  }
  if (feed.decided < end)
    throw new Error(`only ${count - (end - feed.decided)} of ${count} tasks were decided`);
}
