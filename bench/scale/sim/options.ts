/** What goes into a simulation, and what comes out. */
import type { ServiceCosts } from './costs.js';
import type { Machine } from './machine.js';

/** ShardPlan is one domain: CPUs whose tasks its worker decides. */
export interface ShardPlan {
  readonly cpus: readonly number[];
  /** One of nodeland's; more share the ring, which only theory has. */
  readonly workerCpus: readonly number[];
}

/** Load is where tasks come from. */
export type Load =
  | { readonly kind: 'open'; readonly perCpuPerSecond: number }
  | { readonly kind: 'closed'; readonly tasksPerCpu: number };

/** SimulationOptions are everything a run depends on. */
export interface SimulationOptions {
  readonly machine: Machine;
  readonly shards: readonly ShardPlan[];
  readonly costs: ServiceCosts;
  readonly load: Load;
  readonly seed: number;
  /** Tasks measured, after a fifth as many that are not. */
  readonly tasks: number;
  readonly batchTasks: number;
  /** Places of a task ring. */
  readonly ringTasks: number;
  readonly handOffShare: number;
  /** `exponential` makes the time of each decision random with decideNs as its mean: for theory. */
  readonly service: 'fixed' | 'exponential';
}

/** Outcome is what a run came to. */
export interface Outcome {
  readonly decisionsPerSecond: number;
  /** Every measured wait in ns, ascending. */
  readonly waitsNs: Float64Array;
  /** Share of tasks that no worker decided: the ring was full, or their CPU came to nothing but waiting for it. */
  readonly undecidedShare: number;
  /** Mean share of time the workers worked. */
  readonly utilisation: number;
}
