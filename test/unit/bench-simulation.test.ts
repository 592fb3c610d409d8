import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { quantileOf } from '../../bench/transport/statistics.js';
import type { ServiceCosts } from '../../bench/scale/sim/costs.js';
import { costsFrom } from '../../bench/scale/sim/costs.js';
import { EventQueue } from '../../bench/scale/sim/events.js';
import { Fifo } from '../../bench/scale/sim/fifo.js';
import { ContendedLine } from '../../bench/scale/sim/line.js';
import { EPYC_7R13, LARGE, type LineCosts, Machine } from '../../bench/scale/sim/machine.js';
import type { Outcome, SimulationOptions } from '../../bench/scale/sim/options.js';
import { simulate } from '../../bench/scale/sim/simulation.js';

const NOTHING: LineCosts = { sameLlc: 0, sameSocket: 0, nextSocket: 0, perFurtherSocket: 0 };
const ONLY_DECISIONS: ServiceCosts = {
  ...{ pushNs: 0, pushLines: 0, batchNs: 0, decideLines: 0, drainNs: 0, drainLines: 0, handOffNs: 0 },
  decideNs: 100,
};
const sharedRing = (workers: number, feeders = 16): SimulationOptions => ({
  machine: new Machine({ ...LARGE, cpus: workers + feeders }, NOTHING),
  shards: [
    {
      cpus: Array.from({ length: feeders }, (_, cpu) => workers + cpu),
      workerCpus: Array.from({ length: workers }, (_, cpu) => cpu),
    },
  ],
  costs: ONLY_DECISIONS,
  load: { kind: 'open', perCpuPerSecond: 1 },
  ...{ seed: 1, tasks: 120_000, batchTasks: 1, ringTasks: 1_000_000, handOffShare: 0, service: 'fixed' },
});
const loaded = (options: SimulationOptions, utilisation: number): SimulationOptions => {
  const [{ cpus, workerCpus }] = options.shards;
  const perSecond = (utilisation * workerCpus.length * 1e9) / options.costs.decideNs;
  return { ...options, load: { kind: 'open', perCpuPerSecond: perSecond / cpus.length } };
};
const mean = ({ waitsNs }: Outcome): number => waitsNs.reduce((sum, ns) => sum + ns, 0) / waitsNs.length;

/** Erlang's C: the share of arrivals that wait when c servers are offered a load of a. */
function erlangC(servers: number, load: number): number {
  let blocked = 1;
  for (let count = 1; count <= servers; count++) blocked = (load * blocked) / (count + load * blocked);
  return blocked / (1 - (load / servers) * (1 - blocked));
}

describe('the simulation agrees with queueing theory', () => {
  test.each([0.3, 0.6, 0.8, 0.9])('M/D/1 at utilisation %s: mean wait within 4 percent', (utilisation) => {
    const outcome = simulate(loaded(sharedRing(1), utilisation));
    // Pollaczek and Khinchine, without variance of the service.
    const expected = 100 + (100 * utilisation) / (2 * (1 - utilisation));
    expect(mean(outcome) / expected).toBeGreaterThan(0.96);
    expect(mean(outcome) / expected).toBeLessThan(1.04);
    expect(outcome.utilisation).toBeCloseTo(utilisation, 1);
    expect(outcome.undecidedShare).toBe(0);
  });

  test.each([
    [1, 0.7],
    [2, 0.7],
    [4, 0.8],
    [8, 0.9],
  ])('M/M/%i at utilisation %s: mean wait within 5 percent of Erlang C', (workers, utilisation) => {
    const outcome = simulate({ ...loaded(sharedRing(workers), utilisation), service: 'exponential' });
    const waiting = erlangC(workers, workers * utilisation) / (workers * (1 - utilisation));
    expect(mean(outcome) / (100 * (1 + waiting))).toBeGreaterThan(0.95);
    expect(mean(outcome) / (100 * (1 + waiting))).toBeLessThan(1.05);
  });

  test('M/M/1: the wait is exponential, to the thousandth', () => {
    const { waitsNs } = simulate({ ...loaded(sharedRing(1), 0.5), service: 'exponential' });
    for (const share of [0.5, 0.99, 0.999]) {
      const expected = -200 * Math.log(1 - share);
      expect(quantileOf([...waitsNs], share) / expected).toBeGreaterThan(0.9);
      expect(quantileOf([...waitsNs], share) / expected).toBeLessThan(1.1);
    }
  });

  test('closed: one CPU and one worker each do what the slower of them can', () => {
    const costs = { ...ONLY_DECISIONS, pushNs: 30, drainNs: 20 };
    const options = { ...sharedRing(1, 1), costs, load: { kind: 'closed', tasksPerCpu: 256 } as const };
    expect(simulate(options).decisionsPerSecond / 1e7).toBeCloseTo(1, 2);
    const slowCpu = { ...options, costs: { ...costs, pushNs: 180 } };
    expect(simulate(slowCpu).decisionsPerSecond / 5e6).toBeCloseTo(1, 2);
  });

  test('closed, fed by its own CPU: the sum of all steps', () => {
    const costs = { ...ONLY_DECISIONS, pushNs: 30, drainNs: 20 };
    const shards = [{ cpus: [0], workerCpus: [0] }];
    const load = { kind: 'closed', tasksPerCpu: 256 } as const;
    const { decisionsPerSecond } = simulate({ ...sharedRing(1), costs, shards, load, batchTasks: 128 });
    expect(decisionsPerSecond * 150e-9).toBeCloseTo(1, 2);
  });
});

describe('the simulation', () => {
  const machine = new Machine({ ...LARGE, cpus: 64 }, EPYC_7R13);
  const costs = { ...ONLY_DECISIONS, pushNs: 20, drainNs: 20, decideLines: 0.5, batchNs: 500, handOffNs: 50 };
  const half = (from: number) => ({
    cpus: Array.from({ length: 31 }, (_, cpu) => from + 1 + cpu),
    workerCpus: [from],
  });
  const twoShards: SimulationOptions = {
    ...sharedRing(1),
    ...{ machine, costs, shards: [half(0), half(32)], tasks: 20_000, batchTasks: 128, ringTasks: 3072 },
    ...{ load: { kind: 'open', perCpuPerSecond: 50_000 }, handOffShare: 0.05 },
  };

  test('repeats by seed, and only by seed', () => {
    expect(simulate(twoShards)).toEqual(simulate(twoShards));
    expect(mean(simulate({ ...twoShards, seed: 2 }))).not.toBe(mean(simulate(twoShards)));
  });

  test('decides as many as arrive while it can, and counts what it cannot', () => {
    const light = simulate(twoShards);
    expect(light.undecidedShare).toBe(0);
    expect(light.decisionsPerSecond / (62 * 50_000)).toBeCloseTo(1, 1);
    const over = simulate({ ...twoShards, load: { kind: 'open', perCpuPerSecond: 2_000_000 } });
    expect(over.undecidedShare).toBeGreaterThan(0.5);
    expect(over.utilisation).toBeGreaterThan(0.9);
    expect(over.decisionsPerSecond).toBeLessThan(20_000_000);
  });

  test('handing over costs waits', () => {
    const mostly = simulate({ ...twoShards, handOffShare: 0.5 });
    expect(mean(mostly)).toBeGreaterThan(1.5 * mean(simulate({ ...twoShards, handOffShare: 0 })));
  });

  test('refuses a shard without a worker', () => {
    expect(() => simulate({ ...twoShards, shards: [{ cpus: [1], workerCpus: [] }] })).toThrow(RangeError);
  });
});

describe('the simulated machine', () => {
  const machine = new Machine(LARGE, EPYC_7R13);

  test('has lines that take longer the further they go', () => {
    expect(machine.transferNs(5, 5)).toBe(0);
    expect(machine.transferNs(0, 15)).toBe(23);
    expect(machine.transferNs(0, 16)).toBe(107);
    expect(machine.transferNs(0, 127)).toBe(107);
    expect(machine.transferNs(0, 128)).toBe(197);
    expect(machine.transferNs(0, 3 * 128)).toBe(287);
    expect(machine.transferNs(0, 7 * 128)).toBe(377);
    expect(machine.transferNs(7 * 128, 0)).toBe(377);
  });

  test('lets one write of a line follow the other, each after the line has come over', () => {
    const line = new ContendedLine(machine, 0);
    expect(line.write(0, 1000)).toBe(1000);
    expect(line.write(1, 1000)).toBe(1023);
    expect(line.write(128, 1010)).toBe(1220);
    expect(line.write(128, 2000)).toBe(2000);
  });

  test('costs come from what a step takes longer apart than alone', () => {
    const alone = { push: 20, decide: 30, drain: 20, batch: 100 };
    const apart = { push: 40, decide: 130, drain: 15, batch: 1000 };
    expect(costsFrom(alone, apart, 200, 50)).toEqual({
      ...{ pushNs: 20, pushLines: 0.1, batchNs: 1000, decideNs: 30, decideLines: 0.5 },
      ...{ drainNs: 20, drainLines: 0, handOffNs: 50 },
    });
  });
});

describe('the queues of the simulation', () => {
  test('events come in the order of their times, and at one time in the order they were made', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20), { maxLength: 9000 }), (times) => {
        const queue = new EventQueue();
        times.forEach((timeNs, subject) => queue.add(timeNs, 1, subject));
        const sorted = times
          .map((timeNs, subject) => ({ timeNs, subject }))
          .sort((a, b) => a.timeNs - b.timeNs);
        for (const { timeNs, subject } of sorted) {
          expect(queue.next()).toBe(true);
          expect([queue.timeNs, queue.subject]).toEqual([timeNs, subject]);
        }
        expect(queue.next()).toBe(false);
      }),
      { numRuns: 20 },
    );
  });

  test('a fifo gives back what it was given, however it grows', () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.nat()), { maxLength: 500 }), (steps) => {
        const fifo = new Fifo();
        const model: number[] = [];
        for (const step of steps) {
          if (step !== null) model.push(step);
          if (step !== null) fifo.push(step);
          else if (model.length > 0) expect(fifo.shift()).toBe(model.shift());
          expect(fifo.length).toBe(model.length);
        }
      }),
    );
  });
});
