/** What the simulated kernel does beyond policies' tests: workers that take time, domains that share, stalls, waiting tasks. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SimEvents } from '../../src/kernel/sim-events.js';
import { NoSlotError, SimKernel, type SimOptions } from '../../src/kernel/sim.js';
import type { SimStep } from '../../src/kernel/sim-task.js';
import { bucketOf, bucketStartNs } from '../../src/observe/histogram.js';
import { takeSnapshot } from '../../src/observe/snapshot.js';
import { loopsWith, MS, SECOND } from './sim-loops.js';

const WORKER = { decisionNs: 1000, batchNs: 5000, cpus: [0, 2] };
const TWO_DOMAINS = {
  domains: [
    [0, 1],
    [2, 3],
  ],
  near: [[1], [0]],
};

function kernelWith(options: Partial<SimOptions> = {}, policy = 'fifo'): SimKernel {
  return loopsWith(policy, { worker: WORKER, ...options }).kernel;
}

describe('SimEvents', () => {
  it('gives events by time, and of one time in the order in which they were planned', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 20 })), (times) => {
        const events = new SimEvents();
        const seen: [number, number][] = [];
        times.forEach((atNs, index) => {
          events.push(atNs, () => void seen.push([atNs, index]));
        });
        while (events.nextNs < Infinity) events.pop()?.action();
        const sorted = times.map((atNs, index): [number, number] => [atNs, index]);
        expect(seen).toEqual(sorted.sort(([a, i], [b, j]) => a - b || i - j));
        expect(events.pop()).toBeUndefined();
      }),
    );
  });
});

describe('bucketOf', () => {
  it('is the bucket that begins at or below a duration, the last one for the longest', () => {
    for (const ns of [0, 1, 3, 4, 5, 7, 8, 1000, 1023, 1024, 5e6, 2 ** 31, 2 ** 32 - 1]) {
      const bucket = bucketOf(ns);
      expect(bucketStartNs(bucket)).toBeLessThanOrEqual(ns);
      if (bucket < 127) expect(bucketStartNs(bucket + 1)).toBeGreaterThan(ns);
    }
    expect(bucketOf(1e15)).toBe(127);
  });
});

describe('a worker that takes time', () => {
  it('decides a task after it was called and its batch is done', () => {
    const kernel = kernelWith({ domains: [[0, 1]] });
    const task = kernel.spawn({ runNs: MS, startNs: MS });
    kernel.run(SECOND);
    expect(task.waitsNs).toEqual([WORKER.batchNs + WORKER.decisionNs]);
    const { counters, hists } = takeSnapshot(kernel.arena).domains[0];
    expect(counters).toMatchObject({ asked: 1, decided: 1, worker_kicks: 1, worker_runs: 1 });
    expect(hists.ask[bucketOf(6000)]).toBe(1);
    expect(hists.wait[bucketOf(6000)]).toBe(1);
    expect(hists.worker_wake[bucketOf(5000)]).toBe(1);
  });

  it('decides in one batch what comes before it has its CPU, and later what comes meanwhile', () => {
    const kernel = kernelWith({ domains: [[0, 1, 2, 3, 4, 5]] });
    const early = [0, 1000, 4999].map((startNs) => kernel.spawn({ runNs: MS, startNs: MS + startNs }));
    const late = kernel.spawn({ runNs: MS, startNs: MS + 5001 });
    kernel.run(SECOND);
    const batchEndsNs = WORKER.batchNs + 3 * WORKER.decisionNs;
    expect(early.map(({ waitsNs: [waitNs] }) => waitNs)).toEqual(
      [0, 1000, 4999].map((startNs) => batchEndsNs - startNs),
    );
    expect(late.waitsNs).toEqual([batchEndsNs - 5001 + WORKER.batchNs + WORKER.decisionNs]);
    expect(takeSnapshot(kernel.arena).domains[0].worker).toMatchObject({ loops: 2, max_batch: 3 });
  });

  it('has its CPU to itself meanwhile: what ran there goes on afterwards, and nobody else loses time', () => {
    const kernel = kernelWith({ domains: [[0, 1]], worker: { ...WORKER, batchNs: MS } });
    const [first, second] = [0, 1].map(() => kernel.spawn({ runNs: Infinity, startNs: 0 }));
    kernel.run(10 * MS);
    kernel.spawn({ runNs: 1, startNs: 11 * MS });
    kernel.run(100 * MS);
    const worker = kernel.timedWorkers[0];
    const busyNs = kernel.cpus.map((cpu) => cpu.busyNs);
    // CPU 0 is the worker's.
    expect(busyNs[0] + worker.busyNs).toBe(100 * MS);
    expect(busyNs[1]).toBeGreaterThan(busyNs[0]);
    expect(first.cpuNs + second.cpuNs + 1).toBe(busyNs[0] + busyNs[1]);
  });

  it('may take none', () => {
    const kernel = kernelWith({ domains: [[0]], worker: { decisionNs: 0, batchNs: 0, cpus: [0] } });
    const tasks = [0, 1, 2].map(() => kernel.spawn({ runNs: 2 * MS, startNs: MS }));
    kernel.run(SECOND);
    expect(tasks.map(({ waitsNs }) => waitsNs)).toEqual([[0], [2 * MS], [4 * MS]]);
  });

  it('that never comes to an end with its tasks is noticed', () => {
    const kernel = new SimKernel({ domains: [[0]], worker: { decisionNs: 0, batchNs: 0, cpus: [0] } });
    kernel.attach(0, () => 0);
    kernel.spawn({ runNs: 1 });
    expect(() => {
      kernel.run(SECOND);
    }).toThrow('does not settle');
  });
});

describe('domains that share', () => {
  it('have a waking task take an idle CPU of its own domain first, then of the nearest with one', () => {
    const kernel = kernelWith({ ...TWO_DOMAINS, fastPath: true });
    const hogs = [0, 1, 2].map((index) => kernel.spawn({ runNs: Infinity, startNs: index }));
    kernel.run(10 * MS);
    expect(hogs.map(({ ranDomain }) => ranDomain)).toEqual([0, 0, 1]);
    const [own, other] = takeSnapshot(kernel.arena).domains;
    expect([own.counters.idle, other.counters.idle]).toEqual([2, 1]);
  });

  it('have a CPU about to idle take the first task that waits elsewhere, and count the move', () => {
    const kernel = kernelWith(TWO_DOMAINS);
    const tasks = Array.from({ length: 5 }, () => kernel.spawn({ runNs: 4 * MS, domain: 0 }));
    kernel.spawn({ runNs: MS, domain: 1 });
    kernel.run(SECOND);
    expect(tasks.every((task) => task.exited)).toBe(true);
    const [, other] = takeSnapshot(kernel.arena).domains;
    expect(other.counters.pulled).toBeGreaterThan(0);
    expect(tasks.filter((task) => task.ranDomain === 1).length).toBe(other.counters.pulled);
  });

  it('leave those alone that have not waited for long enough', () => {
    const kernel = kernelWith({ ...TWO_DOMAINS, stealUs: 1e6 });
    for (let index = 0; index < 5; index++) kernel.spawn({ runNs: 4 * MS, domain: 0 });
    kernel.spawn({ runNs: MS, domain: 1 });
    kernel.run(SECOND);
    expect(takeSnapshot(kernel.arena).domains[1].counters.pulled).toBe(0);
  });

  it('queue a task bound to one CPU for it, without asking', () => {
    const kernel = kernelWith({ ...TWO_DOMAINS, boundInKernel: true });
    const task = kernel.spawn({ runNs: MS, sleepNs: MS, domain: 1, allowedCpus: [3] });
    kernel.run(SECOND);
    const { counters } = takeSnapshot(kernel.arena).domains[1];
    expect(counters).toMatchObject({ bound: task.runs, asked: 0 });
    expect(task.runs).toBeGreaterThan(400);
  });
});

describe('a worker that stands still', () => {
  const stalls = (untilMs: number): SimKernel => {
    const kernel = kernelWith({ domains: [[0, 1]], stallMs: 20 });
    for (let index = 0; index < 6; index++) kernel.spawn({ runNs: MS, sleepNs: 3 * MS });
    kernel.at(100 * MS, () => {
      kernel.timedWorkers[0].pause(untilMs * MS);
    });
    return kernel;
  };

  it('loses its domain after stall_ms and a tick, gets it back, and no task waits for longer', () => {
    const kernel = stalls(300);
    kernel.run(SECOND);
    const { counters, state } = takeSnapshot(kernel.arena).domains[0];
    expect(counters).toMatchObject({ fallback_enter: 1, fallback_leave: 1 });
    expect(counters.fallback_us).toBeGreaterThan(150_000);
    expect(counters.fallback_us).toBeLessThan(200_000);
    expect(counters.fallback).toBeGreaterThan(100);
    expect(counters.rescued).toBe(6);
    expect(counters.stale).toBeGreaterThan(0);
    expect(state).toBe('active');
    expect(Math.max(...kernel.tasks.flatMap(({ waitsNs }) => waitsNs)) / MS).toBeLessThan(40);
  });

  it('keeps it when it stands still for less', () => {
    const kernel = stalls(110);
    kernel.run(SECOND);
    expect(takeSnapshot(kernel.arena).domains[0].counters).toMatchObject({ fallback_enter: 0, rescued: 0 });
  });

  it('that is gone leaves its tasks to the kernel side, and a new one takes them over', () => {
    const { kernel, loops } = loopsWith('fifo', { worker: WORKER, stallMs: 20 });
    for (let index = 0; index < 3; index++) kernel.spawn({ runNs: MS, sleepNs: 3 * MS });
    kernel.at(100 * MS, () => {
      kernel.detach(0);
    });
    kernel.at(500 * MS, () => {
      kernel.attach(0, () => loops[0].batch());
    });
    kernel.run(400 * MS);
    const { counters } = takeSnapshot(kernel.arena).domains[0];
    expect(counters.absent).toBeGreaterThan(100);
    kernel.run(SECOND);
    const later = takeSnapshot(kernel.arena).domains[0];
    expect(later.state).toBe('active');
    expect(later.counters.decided).toBeGreaterThan(counters.decided + 100);
  });
});

describe('tasks with programs', () => {
  const WAIT: SimStep = { kind: 'wait' };

  it('wait until they are woken, and not at all when that came first', () => {
    const kernel = kernelWith({ domains: [[0, 1]] });
    const atMs: number[] = [];
    const waiter = kernel.spawn({
      runNs: 0,
      next: () => {
        atMs.push(Math.floor(kernel.nowNs / MS));
        return atMs.length % 2 === 0 ? WAIT : { kind: 'run', ns: MS };
      },
    });
    kernel.at(10 * MS, () => {
      kernel.wakeUp(waiter);
    });
    // In the middle of its run: the next wait is none.
    kernel.at(10.5 * MS, () => {
      kernel.wakeUp(waiter);
    });
    kernel.run(SECOND);
    expect(atMs).toEqual([0, 1, 10, 11, 11, 12]);
    expect(waiter.waits).toBe(true);
  });

  it('keep their slice over their steps', () => {
    const kernel = kernelWith({ domains: [[0]], sliceUs: 5000 });
    const steps = kernel.spawn({ runNs: 0, next: () => ({ kind: 'run', ns: 0.1 * MS }) });
    const hog = kernel.spawn({ runNs: Infinity });
    kernel.run(SECOND);
    expect(steps.runs).toBeLessThan(110);
    expect(steps.cpuNs / hog.cpuNs).toBeCloseTo(1, 1);
  });

  it('are refused when there is no slot, which the next one gets when another exits', () => {
    const kernel = kernelWith({ domains: [[0]], nrSlots: 2 });
    kernel.spawn({ runNs: MS });
    kernel.spawn({ runNs: MS });
    expect(() => kernel.spawn({ runNs: MS })).toThrow(NoSlotError);
    kernel.run(SECOND);
    expect(kernel.nrLiving).toBe(0);
    kernel.spawn({ runNs: MS });
    kernel.run(2 * SECOND);
    expect(kernel.tasks.every((task) => task.exited)).toBe(true);
  });
});
