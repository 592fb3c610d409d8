/** What a group of tasks is given to live in, and how their programs are written. */
import type { Random } from '../random.js';
import type { SimKernel } from '../../kernel/sim.js';
import type { SimStep, SimTask } from '../../kernel/sim-task.js';

/** Program is what a task does, step by step. It exits at the end. */
export type Program = Generator<SimStep, void, void>;

/** Place is where a task begins: its domain, and the CPUs it may use if not all. */
export interface Place {
  readonly cpu: number;
  readonly domain: number;
  readonly allowedCpus?: readonly number[];
}

/** Scene is one group's surroundings. */
export interface Scene {
  readonly kernel: SimKernel;
  readonly random: Random;
  /** The CPUs the group may use. */
  readonly cpus: readonly number[];
  /** How many of its kind there are to be. */
  readonly count: number;
  readonly startNs: number;
  /** place is where the index-th of so many goes, so that all CPUs have as many. */
  place(index: number, count: number): Place;
  /** spawn starts a task with a program. */
  spawn(place: Place, program: (task: SimTask) => Program, options?: SpawnOptions): SimTask;
  /** done counts something the group was to do: a request, an item, a job; `tookNs` from its beginning. */
  done(tookNs: number): void;
}

export interface SpawnOptions {
  readonly comm?: string;
  /** Now, without it. */
  readonly startNs?: number;
}

export const runUs = (us: number): SimStep => ({ kind: 'run', ns: us * 1000 });
export const sleepUs = (us: number): SimStep => ({ kind: 'sleep', ns: us * 1000 });
/** Until somebody wakes it; what it waits for is to be looked at again afterwards. */
export const WAIT: SimStep = { kind: 'wait' };
export const FOREVER: SimStep = { kind: 'run', ns: Infinity };
