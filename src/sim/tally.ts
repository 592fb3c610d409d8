/** What is seen of one group of tasks in a simulation. */
import type { SimKernel } from '../kernel/sim.js';
import type { GroupResult } from './result.js';
import { Samples } from './samples.js';

/** Tally is one group's: its tasks are those with its index as their behaviour's group. */
export class Tally {
  wakeUp = new Samples();
  wait = new Samples();
  private took = new Samples();
  tasks = 0;

  constructor(
    protected readonly kernel: SimKernel,
    readonly index: number,
    readonly name: string,
    readonly kind: string,
  ) {}

  /** done counts something the group was to do; `tookNs` from its beginning. */
  done(tookNs: number): void {
    this.took.add(tookNs);
  }

  /** countAnew forgets what was seen. */
  countAnew(): void {
    this.wakeUp = new Samples();
    this.wait = new Samples();
    this.took = new Samples();
  }

  result(seconds: number): GroupResult {
    const { name, kind, tasks, wakeUp, wait, took, kernel, index } = this;
    let cpuNs = 0;
    for (const task of kernel.tasks) if (task.behaviour.group === index) cpuNs += task.cpuNs;
    return {
      name,
      kind,
      tasks,
      cpuShare: seconds === 0 ? 0 : cpuNs / (seconds * 1e9 * kernel.cpus.length),
      wakeUp: wakeUp.percentiles(),
      wait: wait.percentiles(),
      done: took.count,
      donePerS: seconds === 0 ? 0 : took.count / seconds,
      took: took.percentiles(),
    };
  }
}

/** Load is all the tasks of a simulation. */
export interface Load {
  readonly tallies: readonly Tally[];
  start(): void;
  /** No task is there, and none is to come. */
  isOver(): boolean;
}
