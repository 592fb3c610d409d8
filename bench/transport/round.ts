/** A round of one side: the same batches of the same number of tasks on the same CPU. */
import { medianOf } from './statistics.js';

/** RoundSize is how much one round does. */
export interface RoundSize {
  readonly batches: number;
  readonly tasksPerBatch: number;
}

/** STEPS of a task's way: into the ring (kernel), from ring to ring (user), out of the ring (kernel). */
export const STEPS = ['push', 'decide', 'drain'] as const;
export type Step = (typeof STEPS)[number];

/** Cost is nanoseconds per task, by step and in all. */
export type Cost = Readonly<Record<Step | 'total', number>>;

/** BatchTimes are the nanoseconds one batch took: push, decide, drain. */
export type BatchTimes = readonly [number, number, number];

/** Side is a transport that does rounds, one at a time, and gives the nanoseconds of each batch. */
export type Side = (size: RoundSize) => Promise<readonly BatchTimes[]>;

/**
 * costOf makes a round's cost from its batches: the median batch, by step and in all, so that a batch during which
 * somebody else got the CPU does not count.
 */
export function costOf(batches: readonly BatchTimes[], tasksPerBatch: number): Cost {
  const perTask = (ns: (times: BatchTimes) => number): number => medianOf(batches.map(ns)) / tasksPerBatch;
  return {
    push: perTask(([push]) => push),
    decide: perTask(([, decide]) => decide),
    drain: perTask(([, , drain]) => drain),
    total: perTask(([push, decide, drain]) => push + decide + drain),
  };
}
