/** The policy under test on the simulated kernel, watched. */
import { SimKernel, type SimOptions } from '../kernel/sim.js';
import type { SimTask } from '../kernel/sim-task.js';
import { parseOptions } from '../policy/options.js';
import { DomainLoop } from '../worker/domain-loop.js';
import type { Subject } from './check.js';

export const MS = 1e6;
export const SECOND = 1e9;
/** The default slice of all checks. */
export const SLICE_US = 5000;

/**
 * The weights of nice -5, 0, 5 and 10 where nice 0 is 100: the kernel's table (sched_prio_to_weight) as sched_ext scales
 * it (sched_weight_to_cgroup).
 */
export const WEIGHTS_BY_NICE: readonly (readonly [nice: number, weight: number])[] = [
  [-5, 305],
  [0, 100],
  [5, 33],
  [10, 11],
];

/** loopOf makes the worker's loop with the policy. */
export function loopOf(kernel: SimKernel, { policy, options }: Subject): DomainLoop {
  return new DomainLoop(kernel.arena, {
    domain: 0,
    policy,
    options: parseOptions(policy, options),
    ask: 'auto',
    sliceUs: SLICE_US,
  });
}

/** simulate makes a machine of one domain that the policy schedules. */
export function simulate(subject: Subject, nrCpus: number, options: Partial<SimOptions> = {}): SimKernel {
  const cpus = Array.from({ length: nrCpus }, (_, cpu) => cpu);
  const kernel = new SimKernel({ domains: [cpus], sliceUs: SLICE_US, ...options });
  const loop = loopOf(kernel, subject);
  kernel.attach(0, () => loop.batch());
  return kernel;
}

/** waitsSinceNs is when a task that waits for a CPU began to; Infinity for one that does not. */
export function waitsSinceNs(kernel: SimKernel, task: SimTask): number {
  const isRunning = kernel.cpus.some((cpu) => cpu.running?.task === task);
  return task.isRunnable && !isRunning ? task.enqueuedNs : Infinity;
}

/** longestWait is the longest that any of the tasks waited for a CPU, waits that go on included; and whose it was. */
export function longestWait(kernel: SimKernel, tasks: readonly SimTask[]): { waitNs: number; task: string } {
  let longest = { waitNs: 0, task: 'none' };
  for (const task of tasks) {
    const openNs = Math.max(0, kernel.nowNs - waitsSinceNs(kernel, task));
    const waitNs = task.waitsNs.reduce((most, each) => (each > most ? each : most), openNs);
    if (waitNs > longest.waitNs) longest = { waitNs, task: task.name };
  }
  return longest;
}

/** Watch adds up what must not happen, from when it is made. */
export class Watch {
  /** CPU time that idled while a task waited that might have used it. */
  idleNs = 0;
  /** CPU time in all. */
  totalNs = 0;
  /** Times a task was seen on two CPUs, or on one it may not use. */
  twice = 0;
  misplaced = 0;

  constructor(private readonly kernel: SimKernel) {
    kernel.beforeAdvance = (untilNs) => this.look(untilNs - kernel.nowNs);
  }

  private look(forNs: number): void {
    const { cpus, tasks } = this.kernel;
    this.totalNs += forNs * cpus.length;
    const running = cpus.flatMap((cpu) => (cpu.running === undefined ? [] : [cpu.running.task]));
    const distinct = new Set(running);
    if (distinct.size < running.length) this.twice++;
    for (const { id, running: queued } of cpus) if (queued?.task.mayUse(id) === false) this.misplaced++;
    if (running.length === cpus.length) return;
    const waiting = tasks.filter((task) => task.isRunnable && !distinct.has(task));
    const wasted = cpus.filter(
      ({ id, running: queued }) => queued === undefined && waiting.some((task) => task.mayUse(id)),
    );
    this.idleNs += Math.min(wasted.length, waiting.length) * forNs;
  }
}
