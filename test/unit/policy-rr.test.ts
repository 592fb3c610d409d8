/** The policies rr and central on a simulated kernel. */
import { describe, expect, it } from 'vitest';
import type { SimKernel } from '../../src/kernel/sim.js';
import type { SimTask } from '../../src/kernel/sim-task.js';
import { builtinPolicy } from '../../src/policy/builtin.js';
import { definePolicy, type PolicyDefinition } from '../../src/policy/policy.js';
import { loopsWith, MS, SECOND } from './sim-loops.js';

/** Who got a CPU, in order. */
function recording(policy: PolicyDefinition, starts: number[]): PolicyDefinition {
  return definePolicy({
    ...policy,
    create: (context) => {
      const inner = policy.create(context);
      return {
        enqueue: (slot) => inner.enqueue(slot),
        dispatch: (room) => inner.dispatch(room),
        running: (slot) => void starts.push(slot),
      };
    },
  });
}

const total = (tasks: readonly SimTask[]): number => tasks.reduce((sum, task) => sum + task.cpuNs, 0);

describe('rr', () => {
  it('gives equal turns of one quantum, whatever the weights', () => {
    const { kernel } = loopsWith('rr', { policyOptions: { quantumUs: 8000 } });
    const tasks = [1, 25, 100, 400, 10_000].map((weight) => kernel.spawn({ runNs: Infinity, weight }));
    kernel.run(4 * SECOND);
    for (const task of tasks) {
      expect(task.cpuNs / SECOND).toBeCloseTo(0.8, 1);
      expect(Math.abs(task.runs - 100)).toBeLessThanOrEqual(1);
    }
  });

  it('goes round in one order', () => {
    const starts: number[] = [];
    const { kernel } = loopsWith(recording(builtinPolicy('rr')!, starts));
    const tasks = Array.from({ length: 7 }, (_, index) => kernel.spawn({ runNs: Infinity, startNs: index }));
    kernel.run(2 * SECOND);
    expect(starts.length).toBeGreaterThan(150);
    starts.forEach((slot, turn) => {
      expect(slot).toBe(tasks[turn % 7].slot);
    });
  });

  it('lets nobody go ahead for having slept', () => {
    const { kernel } = loopsWith('rr', { policyOptions: { quantumUs: 4000 } });
    for (let hog = 0; hog < 4; hog++) kernel.spawn({ runNs: Infinity });
    const sleeper = kernel.spawn({ runNs: MS, sleepNs: 50 * MS, startNs: SECOND });
    kernel.run(5 * SECOND);
    // The rest of one turn, and three more.
    for (const waitNs of sleeper.waitsNs) {
      expect(waitNs).toBeGreaterThanOrEqual(12 * MS);
      expect(waitNs).toBeLessThanOrEqual(16 * MS);
    }
  });
});

describe('central', () => {
  const switches = (kernel: SimKernel): number => kernel.tasks.reduce((sum, { runs }) => sum + runs, 0);

  it('leaves CPUs alone on which nobody else wants to run', () => {
    const { kernel } = loopsWith('central', { domains: [[0, 1, 2, 3]] });
    const tasks = Array.from({ length: 4 }, () => kernel.spawn({ runNs: Infinity }));
    kernel.run(10 * SECOND);
    expect(switches(kernel)).toBe(4);
    expect(kernel.domains[0].counters().asked).toBe(4);
    expect(total(tasks) / (40 * SECOND)).toBeGreaterThan(0.999);
  });

  it('interrupts who ran for a quantum when another waited for one', () => {
    const quantumUs = 10_000;
    const { kernel } = loopsWith('central', { domains: [[0, 1]], policyOptions: { quantumUs } });
    kernel.spawn({ runNs: Infinity });
    kernel.spawn({ runNs: Infinity });
    const late = Array.from({ length: 10 }, (_, index) =>
      kernel.spawn({ runNs: MS, sleepNs: 200 * MS, startNs: (1 + index / 3) * SECOND }),
    );
    kernel.run(20 * SECOND);
    const waitsNs = late.flatMap((task) => task.waitsNs);
    expect(waitsNs.length).toBeGreaterThan(500);
    // Ticks are 5 ms apart. Several that wait interrupt one CPU each.
    expect(Math.max(...waitsNs)).toBeLessThanOrEqual(quantumUs * 1000 * 5 + 15 * MS);
    const sorted = waitsNs.sort((a, b) => a - b);
    expect(sorted[Math.floor(sorted.length / 2)]).toBeLessThanOrEqual(quantumUs * 1000 + 15 * MS);
    expect(kernel.domains[0].counters().resumed).toBeGreaterThan(50);
  });

  it('interrupts nobody before its quantum, also when others wait', () => {
    const { kernel } = loopsWith('central', { policyOptions: { quantumUs: 50_000 } });
    const tasks = [0, 1, 2].map(() => kernel.spawn({ runNs: Infinity }));
    kernel.run(10 * SECOND);
    for (const task of tasks) {
      expect(task.cpuNs / task.runs).toBeGreaterThanOrEqual(50 * MS - 1);
      expect(task.cpuNs / (10 * SECOND)).toBeGreaterThan(0.3);
    }
  });

  it('is not confused by tasks that end while they wait, or that only one CPU may run', () => {
    const { kernel } = loopsWith('central', { domains: [[0, 1]] });
    kernel.spawn({ runNs: Infinity });
    const pinned = Array.from({ length: 3 }, () =>
      kernel.spawn({ runNs: 3 * MS, sleepNs: MS, allowedCpus: [1] }),
    );
    for (let round = 1; round < 50; round++) {
      const dying = kernel.spawn({ runNs: Infinity });
      kernel.run(round * 100 * MS);
      kernel.kill(dying);
    }
    kernel.run(6 * SECOND);
    for (const task of pinned) expect(task.runs).toBeGreaterThan(20);
  });
});
