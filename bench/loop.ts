/**
 * What a decision costs in a worker: `node dist/bench/loop.js [--json] [--rounds N] [--results FOLDER]`.
 *
 * Synthetic tasks in an ordinary buffer; only the loop's own part (take, decide, publish) is timed, not the feeding.
 * With each round goes one of a plain copy of such records, which is what a ratio can be made with that holds on a
 * faster or busier machine. `depth` is how many tasks wait in the policy's own queue all the time, on top of each batch.
 */
import { parseArgs } from 'node:util';
import { SimFeed } from '../src/kernel/sim-feed.js';
import { builtinPolicy } from '../src/policy/builtin.js';
import { parseOptions } from '../src/policy/options.js';
import { definePolicy, type PolicyDefinition } from '../src/policy/policy.js';
import { letInline } from '../src/worker/compiler.js';
import { DomainLoop } from '../src/worker/domain-loop.js';
import { figure, type Measurement, ratioFigure } from './lab/result.js';
import { RESULTS, saveResult } from './lab/store.js';
import { figureOf } from './transport/statistics.js';

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
    options: parseOptions(definition, undefined),
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
  return () =>
    medianChunk(() => {
      feed.push(CHUNK_TASKS);
      let decided = 0;
      const start = performance.now();
      for (let turn = 0; turn < turns; turn++) decided += loop.batch();
      const spentMs = performance.now() - start;
      feed.drain();
      return (spentMs * 1e6) / decided;
    });
}

/** The median of short chunks: what a preemption hits does not count. */
function medianChunk(chunkNs: () => number): number {
  const chunks: number[] = [];
  while (chunks.length < CHUNKS_PER_SAMPLE) chunks.push(chunkNs());
  return chunks.sort((a, b) => a - b)[chunks.length >> 1];
}

/** Copies records from ring to ring, eight words each with a sum: no code of nodeland's. */
function preparePlainCopy(): () => number {
  const from = Int32Array.from({ length: SLOTS * 8 }, (_, word) => word);
  const to = new Int32Array(SLOTS * 8);
  const mask = SLOTS - 1;
  let position = 0;
  const copy = (tasks: number): void => {
    for (let task = 0; task < tasks; task++) {
      const at = (position++ & mask) << 3;
      let sum = 0;
      for (let word = 0; word < 8; word++) {
        sum = (sum + from[at | word]) | 0;
        to[at | word] = sum;
      }
    }
  };
  return () =>
    medianChunk(() => {
      const start = performance.now();
      for (let turn = 0; turn < 4; turn++) copy(CHUNK_TASKS);
      return ((performance.now() - start) * 1e6) / (4 * CHUNK_TASKS);
    });
}

interface Measured {
  readonly item: Case;
  readonly samples: readonly number[];
}

function measure(cases: readonly Case[], rounds: number): { measured: Measured[]; copyNs: number[] } {
  const copy = preparePlainCopy();
  const copyNs: number[] = [];
  const prepared = cases.map((item) => ({ item, sample: prepare(item), samples: [] as number[] }));
  for (let round = -1; round < rounds; round++) {
    const plainNs = copy();
    if (round >= 0) copyNs.push(plainNs);
    for (const { sample, samples } of prepared) {
      const ns = sample();
      if (round >= 0) samples.push(ns);
    }
  }
  return { measured: prepared, copyNs };
}

function measurementOf(
  measured: readonly Measured[],
  copyNs: readonly number[],
  rounds: number,
): Measurement {
  const nameOf = ({ policy, depth }: Case): string => `${policy} depth ${depth}`;
  return {
    benchmark: 'loop',
    settings: { rounds, policies: [...new Set(measured.map(({ item }) => item.policy))].join(' ') },
    figures: [
      ...measured.map(({ item, samples }) => figure(nameOf(item), 'ns per task', samples)),
      figure('plain copy', 'ns per task', copyNs),
      ...measured.map(({ item, samples }) =>
        ratioFigure(`plain copy / ${nameOf(item)}`, [copyNs.map((ns, round) => ns / samples[round])]),
      ),
    ],
  };
}

letInline();
const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '15' },
    policy: { type: 'string' },
    results: { type: 'string', default: RESULTS },
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
const { measured, copyNs } = measure(chosen, Number(values.rounds));
const figures = measured.map(({ item, samples }): Figure => {
  const { n, median, min, max } = figureOf(samples, 1);
  return { ...item, n, medianNs: median, minNs: min, maxNs: max };
});
if (values.json) {
  process.stdout.write(`${JSON.stringify({ benchmark: 'loop', unit: 'ns per task', figures })}\n`);
} else {
  for (const { policy, depth, medianNs, minNs, maxNs, n } of figures) {
    process.stdout.write(
      `${policy.padEnd(6)} depth ${String(depth).padStart(4)}: median ${medianNs} ns per task (${minNs} to ${maxNs}, n ${n})\n`,
    );
  }
}
await saveResult(measurementOf(measured, copyNs, Number(values.rounds)), values.results);
