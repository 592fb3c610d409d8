/**
 * What a decision costs in a worker. Synthetic tasks in an ordinary buffer; only the loop's own part (take, decide, publish) is
 * timed, in full batches, not the feeding. With each round goes one of a plain copy of such records, which is what a ratio can
 * be made with that holds on a faster or busier machine.
 */
import { Command, Option } from 'commander';
import { wholeNumber } from '../src/cli/whole-number.js';
import { SimFeed } from '../src/kernel/sim-feed.js';
import { builtinPolicy } from '../src/policy/builtin.js';
import { BUILTIN_POLICY_NAMES } from '../src/policy/builtin-names.js';
import { parseOptions } from '../src/policy/options.js';
import { definePolicy, type PolicyDefinition } from '../src/policy/policy.js';
import { letInline } from '../src/worker/compiler.js';
import { DomainLoop } from '../src/worker/domain-loop.js';
import { figure, type Measurement, ratioFigure } from './lab/result.js';
import { saveResult, withResults } from './lab/store.js';
import { figureOf } from './transport/statistics.js';

const CHUNK_TASKS = 1024;
const CHUNKS_PER_SAMPLE = 200;
const SLOTS = 4096;

/** So many may wait beside a chunk. */
const DEPTH_MAX = SLOTS - CHUNK_TASKS;

interface Case {
  readonly policy: string;
  /** So many tasks wait in the policy's own queue all the time. */
  readonly depth: number;
}

const CASES: readonly Case[] = [
  { policy: 'fifo', depth: 0 },
  { policy: 'vtime', depth: 0 },
  { policy: 'vtime', depth: 64 },
  { policy: 'vtime', depth: 1000 },
];

interface Options {
  readonly policy?: string;
  readonly depth?: number;
  readonly rounds: number;
  readonly json?: true;
  readonly results: string;
}

/** loopCommand measures decisions. */
export function loopCommand(): Command {
  const command = new Command('loop')
    .description("nanoseconds per decision in a worker's loop, on synthetic tasks")
    .addOption(
      new Option('--policy <name>', 'one policy, as a worker has one only (default: fifo and vtime)').choices(
        BUILTIN_POLICY_NAMES,
      ),
    )
    .option(
      '--depth <n>',
      "tasks that wait in the policy's queue all the time (default: 0; vtime 0, 64 and 1000)",
      wholeNumber(0, DEPTH_MAX),
    )
    .option('--rounds <n>', 'alternating rounds', wholeNumber(1, 1000), 15)
    .option('--json', 'print JSON')
    .action(async (options: Options) => {
      letInline();
      const { measured, copyNs } = measure(casesOf(options), options.rounds);
      print(measured, options.json === true);
      await saveResult(measurementOf(measured, copyNs, options.rounds), options.results);
    });
  return withResults(command);
}

function casesOf({ policy, depth }: Options): Case[] {
  const known = CASES.filter((item) => policy === undefined || item.policy === policy);
  const cases = policy !== undefined && known.length === 0 ? [{ policy, depth: 0 }] : known;
  if (depth === undefined) return cases;
  return [...new Set(cases.map((item) => item.policy))].map((name) => ({ policy: name, depth }));
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

function prepare({ policy, depth }: Case): () => number {
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
  return () =>
    medianChunk(() => {
      feed.push(CHUNK_TASKS);
      let decided = 0;
      const start = performance.now();
      for (let done = loop.batch(); done > 0; done = loop.batch()) decided += done;
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

function print(measured: readonly Measured[], isJson: boolean): void {
  const figures = measured.map(({ item, samples }): Figure => {
    const { n, median, min, max } = figureOf(samples, 1);
    return { ...item, n, medianNs: median, minNs: min, maxNs: max };
  });
  if (isJson) {
    process.stdout.write(`${JSON.stringify({ benchmark: 'loop', unit: 'ns per task', figures })}\n`);
    return;
  }
  for (const { policy, depth, medianNs, minNs, maxNs, n } of figures) {
    process.stdout.write(
      `${policy.padEnd(8)} depth ${String(depth).padStart(4)}: median ${medianNs} ns per task (${minNs} to ${maxNs}, n ${n})\n`,
    );
  }
}
