import { describe, expect, it } from 'vitest';
import { SimKernel, type SimOptions } from '../../src/kernel/sim.js';
import { builtinPolicy } from '../../src/policy/builtin.js';
import { parseOptions } from '../../src/policy/options.js';
import { definePolicy, type PolicyDefinition } from '../../src/policy/policy.js';
import { LIMIT } from '../../src/shm/layout.generated.js';
import { DomainLoop } from '../../src/worker/domain-loop.js';

const MS = 1e6;
const SECOND = 1e9;

function kernelWith(policy: PolicyDefinition | string, options: Partial<SimOptions> = {}): SimKernel {
  const kernel = new SimKernel({ domains: [[0]], ...options });
  const definition = typeof policy === 'string' ? builtinPolicy(policy)! : policy;
  kernel.domains.forEach((_, domain) => {
    const ask = options.askAlways === true ? 'always' : 'auto';
    const loop = new DomainLoop(kernel.arena, {
      domain,
      policy: definition,
      options: parseOptions(definition, undefined),
      ask,
      sliceUs: options.sliceUs ?? 5000,
    });
    kernel.attach(domain, () => loop.batch());
  });
  return kernel;
}

/** A policy that answers every task with the same, possibly senseless, decision. */
const always = (sliceUs: number, cpu: number, keyNs: number): PolicyDefinition =>
  definePolicy({
    name: 'always',
    summary: 'one answer to everything',
    standing: 'none',
    create: ({ decisions }) => {
      const held: Parameters<typeof decisions.publish>[0][] = [];
      return {
        enqueue: (task) => void held.push(task),
        dispatch: () => {
          for (const task of held.splice(0)) {
            decisions.keyNs[task] = keyNs;
            decisions.publish(task, sliceUs, cpu, 0);
          }
        },
      };
    },
  });

describe('fifo', () => {
  it('runs tasks in the order in which they woke', () => {
    const kernel = kernelWith('fifo');
    const tasks = Array.from({ length: 8 }, (_, index) => kernel.spawn({ runNs: 2 * MS, startNs: index }));
    kernel.run(SECOND);
    expect(tasks.map((task) => task.waitsNs.map((waitNs) => Math.round(waitNs / MS)))).toEqual(
      tasks.map((_, index) => [2 * index]),
    );
  });

  it('shares a CPU among hogs by turns, whatever their weight', () => {
    const kernel = kernelWith('fifo');
    const tasks = [50, 100, 400].map((weight) => kernel.spawn({ runNs: Infinity, weight }));
    kernel.run(3 * SECOND);
    for (const task of tasks) expect(task.cpuNs / SECOND).toBeCloseTo(1, 1);
  });
});

describe('vtime', () => {
  it('gives hogs CPU time in proportion to their weights, within 5 percent', () => {
    const weights = [50, 100, 100, 250, 500];
    const kernel = kernelWith('vtime');
    const tasks = weights.map((weight) => kernel.spawn({ runNs: Infinity, weight }));
    // The deadline's second part, execution since wake, delays light tasks once, until it reaches its cap.
    kernel.run(20 * SECOND);
    const beforeNs = tasks.map((task) => task.cpuNs);
    kernel.run(80 * SECOND);
    const total = weights.reduce((a, b) => a + b);
    tasks.forEach((task, index) => {
      const share = (task.cpuNs - beforeNs[index]) / (60 * SECOND);
      expect(share / (weights[index] / total)).toBeGreaterThan(0.95);
      expect(share / (weights[index] / total)).toBeLessThan(1.05);
    });
  });

  it('keeps all CPUs of a domain busy', () => {
    const kernel = kernelWith('vtime', { domains: [[0, 1, 2, 3]] });
    const tasks = Array.from({ length: 9 }, () => kernel.spawn({ runNs: Infinity }));
    kernel.run(10 * SECOND);
    const cpuNs = tasks.reduce((sum, task) => sum + task.cpuNs, 0);
    expect(cpuNs / (40 * SECOND)).toBeGreaterThan(0.999);
  });

  it('lets a task that sleeps often wait less than the hogs beside it, and under standing orders hardly at all', () => {
    const worstWaitMs = (askAlways: boolean): { waitMs: number; standing: number } => {
      const kernel = kernelWith('vtime', { askAlways });
      for (let hog = 0; hog < 4; hog++) kernel.spawn({ runNs: Infinity });
      const sleeper = kernel.spawn({ runNs: 0.2 * MS, sleepNs: 10 * MS, startNs: SECOND });
      kernel.run(5 * SECOND);
      expect(sleeper.runs).toBeGreaterThan(200);
      const later = sleeper.waitsNs.slice(20);
      return { waitMs: Math.max(...later) / MS, standing: kernel.domains[0].counters().standing };
    };
    const asked = worstWaitMs(true);
    const standing = worstWaitMs(false);
    expect(asked.standing).toBe(0);
    expect(standing.standing).toBeGreaterThan(200);
    expect(asked.waitMs).toBeLessThanOrEqual(10);
    expect(standing.waitMs).toBeLessThanOrEqual(1);
  });

  it('asks again when a standing order has run out', () => {
    const kernel = kernelWith('vtime');
    kernel.spawn({ runNs: 0.1 * MS, sleepNs: 0.2 * MS });
    kernel.run(10 * SECOND);
    const { asked, standing } = kernel.domains[0].counters();
    // 1024 wake-ups to an order.
    expect(standing / asked).toBeGreaterThan(960);
    expect(standing / asked).toBeLessThanOrEqual(1024);
  });

  it('runs the same way twice', () => {
    const run = (): number[] => {
      const kernel = kernelWith('vtime', { domains: [[0, 1]] });
      for (let index = 0; index < 6; index++) {
        kernel.spawn({ runNs: (index + 1) * MS, sleepNs: 3 * MS, weight: 50 * (index + 1) });
      }
      kernel.run(2 * SECOND);
      return kernel.tasks.flatMap((task) => [task.cpuNs, ...task.waitsNs]);
    };
    expect(run()).toEqual(run());
  });
});

describe('the simulated kernel', () => {
  it('schedules a domain without a worker itself, and one whose worker left', () => {
    const kernel = new SimKernel({ domains: [[0], [1]] });
    const tasks = [0, 1].map((domain) => kernel.spawn({ runNs: 2 * MS, sleepNs: MS, domain }));
    kernel.run(SECOND);
    for (const task of tasks) expect(task.runs).toBeGreaterThan(300);
    expect(kernel.domains[0].counters().absent).toBe(tasks[0].runs);
  });

  it('hands out idle CPUs without asking when the fast path is on', () => {
    const kernel = kernelWith('vtime', { fastPath: true });
    kernel.spawn({ runNs: MS, sleepNs: MS });
    kernel.run(SECOND);
    const { idle, asked } = kernel.domains[0].counters();
    expect(idle).toBeGreaterThan(490);
    expect(asked).toBe(0);
  });

  it('corrects or refuses senseless decisions, each with its reason, and every task still runs', () => {
    const run = (policy: PolicyDefinition, allowedCpus?: readonly number[]): SimKernel => {
      const kernel = kernelWith(policy, { domains: [[0, 1], [2]] });
      const tasks = [0, 1, 2].map(() =>
        kernel.spawn({ runNs: 3 * MS, sleepNs: MS, ...(allowedCpus === undefined ? {} : { allowedCpus }) }),
      );
      kernel.run(SECOND);
      for (const task of tasks) expect(task.runs).toBeGreaterThan(50);
      return kernel;
    };
    expect(run(always(5, LIMIT.CPU_ANY, 0)).domains[0].counters().slice_clamped).toBeGreaterThan(50);
    expect(run(always(4_000_000_000, LIMIT.CPU_ANY, 0)).domains[0].counters().slice_clamped).toBeGreaterThan(
      50,
    );
    expect(run(always(0, 2, 0)).domains[0].counters().bad_cpu).toBeGreaterThan(50);
    expect(run(always(0, 999, 0)).domains[0].counters().bad_cpu).toBeGreaterThan(50);
    expect(run(always(0, 0, 0), [1]).domains[0].counters().affinity).toBeGreaterThan(50);
    expect(run(always(0, LIMIT.CPU_ANY, 2 ** 53 - 1)).domains[0].counters().key_clamped).toBeGreaterThan(50);
  });

  it('queues tasks itself when the task ring is full', () => {
    const kernel = new SimKernel({ domains: [[0]], taskRingSize: 4 });
    kernel.attach(0, () => 0);
    for (let index = 0; index < 8; index++) kernel.spawn({ runNs: MS });
    kernel.run(SECOND);
    expect(kernel.domains[0].counters()).toMatchObject({ asked: 4, ring_full: 4 });
    expect(kernel.tasks.filter((task) => task.exited)).toHaveLength(4);
  });
});
