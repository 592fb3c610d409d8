/**
 * What a decision costs in a worker: `node dist/bench/loop.js [--json] [--rounds N]`.
 *
 * Synthetic tasks in an ordinary buffer; only the loop's own part (take, decide, publish) is timed, not the feeding.
 * `depth` is how many tasks wait in the policy's own queue all the time, on top of each batch.
 */
import { parseArgs } from 'node:util';
import { SimFeed } from '../src/kernel/sim-feed.js';
import { builtinPolicy } from '../src/policy/builtin.js';
import { definePolicy, type PolicyDefinition } from '../src/policy/policy.js';
import { letInline } from '../src/worker/compiler.js';
import { DomainLoop } from '../src/worker/domain-loop.js';

const CHUNK_TASKS = 1024;
const CHUNKS_PER_SAMPLE = 200;
const SLOTS = 4096;

interface Case {
  readonly policy: string;
  readonly depth: number;
  readonly batch: number;
}

interface Figure extends Case {
  readonly n: number;
  readonly medianNs: number;
  readonly minNs: number;
  readonly maxNs: number;
}

/** keepDepth lets a policy publish only what exceeds the depth. */
function keepDepth(inner: PolicyDefinition, depth: number): PolicyDefinition {
  if (depth === 0) return inner;
  return definePolicy({
    ...inner,
    create(context) {
      const policy = inner.create(context);
      let queued = 0;
      return {
        enqueue(slot) {
          queued++;
          policy.enqueue(slot);
        },
        dispatch(room) {
          const surplus = Math.min(room, queued - depth);
          if (surplus <= 0) return;
          queued -= surplus;
          policy.dispatch(surplus);
        },
      };
    },
  });
}

function prepare({ policy, depth, batch }: Case): () => number {
  const feed = new SimFeed(SLOTS);
  const definition = builtinPolicy(policy);
  if (definition === undefined) throw new Error(`no policy ${policy}`);
  const loop = new DomainLoop(feed.arena, {
    domain: 0,
    policy: keepDepth(definition, depth),
    ask: 'auto',
    sliceUs: 5000,
  });
  const settle = (): void => {
    while (loop.batch() > 0) feed.drain();
    feed.drain();
  };
  for (let filled = 0; filled < depth; filled += feed.push(Math.min(64, depth - filled))) settle();
  settle();
  const turns = CHUNK_TASKS / batch;
  return () => {
    const chunks: number[] = [];
    while (chunks.length < CHUNKS_PER_SAMPLE) {
      feed.push(CHUNK_TASKS);
      let decided = 0;
      const start = performance.now();
      for (let turn = 0; turn < turns; turn++) decided += loop.batch();
      const spentMs = performance.now() - start;
      chunks.push((spentMs * 1e6) / decided);
      feed.drain();
    }
    // The median of short chunks: what a preemption hits does not count.
    return chunks.sort((a, b) => a - b)[chunks.length >> 1];
  };
}

function measure(cases: readonly Case[], rounds: number): Figure[] {
  const prepared = cases.map((item) => ({ item, sample: prepare(item), samples: [] as number[] }));
  for (let round = -1; round < rounds; round++) {
    for (const { sample, samples } of prepared) {
      const ns = sample();
      if (round >= 0) samples.push(ns);
    }
  }
  return prepared.map(({ item, samples }) => {
    const sorted = samples.sort((a, b) => a - b);
    const at = (share: number): number => Number(sorted[Math.floor((sorted.length - 1) * share)].toFixed(1));
    return { ...item, n: sorted.length, medianNs: at(0.5), minNs: at(0), maxNs: at(1) };
  });
}

letInline();
const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '15' },
    policy: { type: 'string' },
  },
});
const ALL: readonly Case[] = [
  { policy: 'fifo', depth: 0, batch: 64 },
  { policy: 'vtime', depth: 0, batch: 64 },
  { policy: 'vtime', depth: 64, batch: 64 },
  { policy: 'vtime', depth: 1000, batch: 64 },
];
// Each policy in its own run would be closer to a worker, which has one only: choose it with --policy.
const chosen = ALL.filter(({ policy }) => values.policy === undefined || values.policy === policy);
const figures = measure(chosen, Number(values.rounds));
if (values.json) {
  process.stdout.write(`${JSON.stringify({ benchmark: 'loop', unit: 'ns per task', figures })}\n`);
} else {
  for (const { policy, depth, medianNs, minNs, maxNs, n } of figures) {
    process.stdout.write(
      `${policy.padEnd(6)} depth ${String(depth).padStart(4)}: median ${medianNs} ns per task (${minNs} to ${maxNs}, n ${n})\n`,
    );
  }
}
