/** The simulation of the arrangements that part (a) measured, from that round's steps: whether the model can be believed. */
import { costsFrom, type ServiceCosts } from './sim/costs.js';
import { LARGE, Machine } from './sim/machine.js';
import type { ShardPlan } from './sim/options.js';
import { simulate } from './sim/simulation.js';

/** RoundSteps are one round's steps in ns: per task, except for a batch, a line and a hand-off. */
export interface RoundSteps {
  readonly alonePush: number;
  readonly aloneDecide: number;
  readonly aloneDrain: number;
  /** Entering the kernel twice for a batch, which nodeland does not: a task's share. */
  readonly aloneEntry: number;
  readonly apartPush: number;
  readonly apartDecide: number;
  readonly apartDrain: number;
  readonly apartBatch: number;
  readonly line: number;
  readonly handOff: number;
}

/** predictSelfFed is decisions per second of workers that push and drain on their own CPUs. */
export function predictSelfFed(steps: RoundSteps, workers: number, batchTasks: number): number {
  const costs = costsFrom(aloneOf(steps), aloneOf(steps), steps.line, 0);
  const shards = Array.from({ length: workers }, (_, cpu): ShardPlan => ({ cpus: [cpu], workerCpus: [cpu] }));
  return closed(steps, shards, costs, batchTasks);
}

/** predictFed is decisions per second of one worker whose tasks come from another core. */
export function predictFed(steps: RoundSteps, batchTasks: number): number {
  const { apartPush: push, apartDecide: decide, apartDrain: drain, apartBatch: batch } = steps;
  const costs = costsFrom(aloneOf(steps), { push, decide, drain, batch }, steps.line, 0);
  return closed(steps, [{ cpus: [0], workerCpus: [1] }], costs, batchTasks);
}

const aloneOf = (steps: RoundSteps): { push: number; decide: number; drain: number; batch: number } => ({
  push: steps.alonePush,
  decide: steps.aloneDecide,
  drain: steps.aloneDrain,
  batch: 0,
});

function closed(
  { line, aloneEntry }: RoundSteps,
  shards: readonly ShardPlan[],
  costs: ServiceCosts,
  batchTasks: number,
): number {
  const lines = { sameLlc: line, sameSocket: line, nextSocket: line, perFurtherSocket: 0 };
  return simulate({
    machine: new Machine({ ...LARGE, cpus: 2 * shards.length }, lines),
    shards,
    costs: { ...costs, pushNs: costs.pushNs + aloneEntry },
    load: { kind: 'closed', tasksPerCpu: 2 * batchTasks },
    ...{ seed: 1, tasks: 50_000, batchTasks: 128, ringTasks: 4096, handOffShare: 0, service: 'fixed' },
  }).decisionsPerSecond;
}
