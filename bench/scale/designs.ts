/** The designs that are compared: who decides for which CPUs. */
import { LARGE, type LineCosts, Machine } from './sim/machine.js';
import type { ServiceCosts } from './sim/costs.js';
import type { Outcome, ShardPlan } from './sim/options.js';
import { simulate } from './sim/simulation.js';

/** DESIGNS by how many CPUs one worker decides for: all (as the relatives do), a node's, or those under one cache. */
export const DESIGNS = ['one worker', 'one per node', 'one per LLC'] as const;
export type Design = (typeof DESIGNS)[number];

/** Places of a task ring that can be used: 4,096 (TASK_RING_ENTRIES) less the margin of 1,024 (NL_RING_MARGIN). */
const RING_TASKS = 3072;
const BATCH_TASKS = 128;
/** At least, so that several batches of every shard are seen. */
const TASKS_PER_SHARD = 1000;

/** Question is one point: so many CPUs that ask so often, under one design. */
export interface Question {
  readonly design: Design;
  readonly cpus: number;
  /** Decisions a CPU asks for in a second: wake-ups and ends of slices that neither an idle CPU nor a standing order took. */
  readonly asksPerCpuPerSecond: number;
}

/** World is what all points have in common. */
export interface World {
  readonly costs: ServiceCosts;
  readonly lines: LineCosts;
  readonly handOffShare: number;
  /** Tasks measured at each point, more where there are many shards. */
  readonly tasks: number;
  readonly seed: number;
}

/** Answer is what came of it. */
export interface Answer extends Omit<Outcome, 'waitsNs'> {
  readonly waitNs: { readonly p50: number; readonly p99: number; readonly p999: number };
}

/** ask simulates one point. */
export function ask({ design, cpus, asksPerCpuPerSecond }: Question, world: World): Answer {
  const shards = shardsOf(design, cpus);
  const { waitsNs, ...rest } = simulate({
    ...world,
    tasks: Math.max(world.tasks, TASKS_PER_SHARD * shards.length),
    machine: new Machine({ ...LARGE, cpus }, world.lines),
    shards,
    load: { kind: 'open', perCpuPerSecond: asksPerCpuPerSecond },
    ...{ batchTasks: BATCH_TASKS, ringTasks: RING_TASKS, service: 'fixed' },
  });
  const at = (share: number): number => waitsNs[Math.floor((waitsNs.length - 1) * share)];
  return { ...rest, waitNs: { p50: at(0.5), p99: at(0.99), p999: at(0.999) } };
}

/** shardsOf divides CPUs; the last of each shard is its worker's and has no tasks. */
export function shardsOf(design: Design, cpus: number): ShardPlan[] {
  const size = Math.min(cpus, sizeOf(design, cpus));
  return Array.from({ length: Math.ceil(cpus / size) }, (_, shard) => {
    const own = Array.from({ length: Math.min(size, cpus - shard * size) }, (_, cpu) => shard * size + cpu);
    return { cpus: own.slice(0, -1), workerCpus: own.slice(-1) };
  });
}

function sizeOf(design: Design, cpus: number): number {
  switch (design) {
    case 'one worker':
      return cpus;
    case 'one per node':
      return LARGE.cpusPerNode;
    case 'one per LLC':
      return LARGE.cpusPerLlc;
  }
}

/**
 * A design holds as long as 99 % of decisions come within this, none is left to the kernel, and they are as many as were
 * asked for, less what chance may take: a queue that only begins to grow shows in their rate before it does in waits.
 */
const KNEE_P99_NS = 20_000;
const KNEE_RATE_SHARE = 0.97;

/** Rates between which the knee is sought, in asks per CPU and second. */
const LEAST_RATE = 100;
const MOST_RATE = 5_000_000;
/** Halvings, of the logarithm: from 15 octaves to a sixteenth of one. */
const HALVINGS = 8;

/** kneeOf is the highest rate of asks per CPU and second at which a design holds, within 5 %. */
export function kneeOf(design: Design, cpus: number, world: World): number {
  let [low, high] = [Math.log(LEAST_RATE), Math.log(MOST_RATE)];
  for (let halving = 0; halving < HALVINGS; halving++) {
    const middle = (low + high) / 2;
    if (holds({ design, cpus, asksPerCpuPerSecond: Math.exp(middle) }, world)) low = middle;
    else high = middle;
  }
  return Math.exp(low);
}

function holds(question: Question, world: World): boolean {
  const { waitNs, undecidedShare, decisionsPerSecond } = ask(question, world);
  const { design, cpus, asksPerCpuPerSecond } = question;
  const asking = shardsOf(design, cpus).reduce((sum, shard) => sum + shard.cpus.length, 0);
  return (
    waitNs.p99 <= KNEE_P99_NS &&
    undecidedShare === 0 &&
    decisionsPerSecond >= KNEE_RATE_SHARE * asking * asksPerCpuPerSecond
  );
}
