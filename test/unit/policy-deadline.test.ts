import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SimKernel, type SimOptions } from '../../src/kernel/sim.js';
import type { SimTask } from '../../src/kernel/sim-task.js';
import deadline from '../../src/policy/deadline.js';
import { BUDGET_STATE, Budgets, classCapacityUs } from '../../src/policy/deadline/budgets.js';
import { options } from '../../src/policy/deadline/options.js';
import { parseOptions } from '../../src/policy/options.js';
import { TaskState } from '../../src/policy/state.js';
import { slot } from '../../src/shm/slot.js';
import { DomainLoop } from '../../src/worker/domain-loop.js';

const MS = 1e6;
const SECOND = 1e9;
const SLICE_NS = 5 * MS;
/** A boost of a second: nothing but the budget stands in its way for that long. */
const BOOSTED = { boostUs: 1_000_000, budgetUs: 20_000, refillPercent: 20, sharePercent: 40 };
/** The same with all the budget that can be had. */
const LAVISH = { ...BOOSTED, budgetUs: 10_000_000, refillPercent: 100, sharePercent: 80 };
const ORDER_VALID_NS = 200 * MS;

const withClass = (latencyClass: object): unknown => ({
  orderValidMs: (latencyClass === LAVISH ? 50 : 1) * (ORDER_VALID_NS / MS),
  classes: { fast: latencyClass },
  rules: [{ match: { comm: 'boosted' }, class: 'fast' }],
});

function kernelWith(settings: unknown, sim: Partial<SimOptions> = {}): SimKernel {
  const kernel = new SimKernel({ domains: [[0]], ...sim });
  const ask = sim.askAlways === true ? 'always' : 'auto';
  const loop = new DomainLoop(kernel.arena, {
    domain: 0,
    policy: deadline,
    ask,
    sliceUs: SLICE_NS / 1000,
    options: parseOptions(deadline, settings),
  });
  kernel.attach(0, () => loop.batch());
  return kernel;
}

const longestWaitNs = (tasks: SimTask[]): number => Math.max(...tasks.flatMap(({ waitsNs }) => waitsNs));
const cpuNs = (tasks: SimTask[]): number => tasks.reduce((sum, task) => sum + task.cpuNs, 0);
const spawn = (kernel: SimKernel, count: number, behaviour: Parameters<SimKernel['spawn']>[0]): SimTask[] =>
  Array.from({ length: count }, () => kernel.spawn(behaviour));

/**
 * The bound in docs/policies/deadline.md: while a task waits, no more is boosted than what the class has saved up, has set
 * aside, and comes in; and of the rest each of n tasks has two turns at most.
 */
function waitBoundNs(nrTasks: number): number {
  const share = BOOSTED.sharePercent / 100;
  const capacityNs = classCapacityUs({ ...BOOSTED, sliceUs: undefined }, 1) * 1000;
  return (2 * capacityNs + share * ORDER_VALID_NS + 2 * nrTasks * SLICE_NS) / (1 - share);
}

describe('deadline, against an endless boosted loop', () => {
  it.each([
    { loops: 2, others: 4 },
    { loops: 8, others: 4 },
    { loops: 20, others: 1 },
  ])(
    '$loops loops leave $others others their shares, and let them wait no longer than the bound',
    (counts) => {
      for (const askAlways of [false, true]) {
        const run = (latencyClass: object): SimTask[] => {
          const kernel = kernelWith(withClass(latencyClass), { askAlways });
          spawn(kernel, counts.loops, { name: 'boosted', runNs: Infinity });
          const others = spawn(kernel, counts.others, { name: 'other', runNs: Infinity });
          kernel.run(20 * SECOND);
          return others;
        };
        const nrTasks = counts.loops + counts.others;
        const others = run(BOOSTED);
        for (const other of others) expect(other.cpuNs / (20 * SECOND)).toBeGreaterThan(0.95 / nrTasks);
        expect(longestWaitNs(others)).toBeLessThan(waitBoundNs(nrTasks));
        // It is the budget that does it: with too much of it they wait longer.
        expect(longestWaitNs(run(LAVISH))).toBeGreaterThan(waitBoundNs(nrTasks));
      }
    },
  );

  it('that sleeps before its slice is over, with fifty like it, has no more of it', () => {
    const run = (latencyClass: object): SimTask[] => {
      const kernel = kernelWith(withClass(latencyClass));
      spawn(kernel, 50, { name: 'boosted', runNs: MS, sleepNs: 19 * MS });
      const others = spawn(kernel, 4, { name: 'other', runNs: Infinity });
      kernel.run(20 * SECOND);
      return others;
    };
    const others = run(BOOSTED);
    expect(cpuNs(others) / (20 * SECOND)).toBeGreaterThan(0.95 * (4 / 54));
    expect(longestWaitNs(others)).toBeLessThan(waitBoundNs(54));
    expect(longestWaitNs(run(LAVISH))).toBeGreaterThan(waitBoundNs(54));
  });

  it('that forks without end takes its share of the time at most from what the others have without any boost', () => {
    const share = (latencyClass: object): number => {
      const sim = { nrSlots: 4096, taskRingSize: 1024, decisionRingSize: 1024 };
      const kernel = kernelWith(withClass(latencyClass), sim);
      const others = spawn(kernel, 4, { name: 'other', runNs: Infinity });
      for (let child = 0; child < 1200; child++) {
        kernel.spawn({ name: 'boosted', runNs: 3 * MS, startNs: child * 2.5 * MS });
      }
      kernel.run(3 * SECOND);
      return cpuNs(others) / (3 * SECOND);
    };
    const unboosted = share({ ...BOOSTED, boostUs: 0 });
    expect(share(BOOSTED)).toBeGreaterThan(unboosted * (1 - BOOSTED.sharePercent / 100));
    expect(share(LAVISH)).toBeLessThan(unboosted / 5);
  });
});

describe('deadline', () => {
  it('lets a boosted task that sleeps often wait less than the same task without a boost', () => {
    for (const askAlways of [false, true]) {
      const kernel = kernelWith(withClass(BOOSTED), { askAlways });
      spawn(kernel, 6, { name: 'other', runNs: Infinity });
      const behaviour = { runNs: 3 * MS, sleepNs: 40 * MS };
      const [fast] = spawn(kernel, 1, { name: 'boosted', ...behaviour });
      const [plain] = spawn(kernel, 1, { name: 'plain', ...behaviour });
      kernel.run(20 * SECOND);
      const meanNs = ({ waitsNs }: SimTask): number => waitsNs.reduce((a, b) => a + b, 0) / waitsNs.length;
      expect(fast.waitsNs.length).toBeGreaterThan(400);
      expect(meanNs(fast)).toBeLessThan(0.1 * MS);
      expect(meanNs(fast)).toBeLessThan(meanNs(plain) / 5);
    }
  });

  it('divides a CPU by weight, within 5 percent, also between boosted and other tasks that do not sleep', () => {
    const weights = [29, 100, 100, 335, 1024];
    const kernel = kernelWith(withClass(BOOSTED));
    const tasks = weights.map((weight, index) =>
      kernel.spawn({ name: index % 2 === 0 ? 'other' : 'boosted', runNs: Infinity, weight }),
    );
    kernel.run(40 * SECOND);
    const total = weights.reduce((a, b) => a + b);
    tasks.forEach((task, index) => {
      const ratio = task.cpuNs / (40 * SECOND) / (weights[index] / total);
      expect(ratio).toBeGreaterThan(0.95);
      expect(ratio).toBeLessThan(1.05);
    });
  });

  it('boosts tasks of negative nice when nothing else is said', () => {
    expect(parseOptions(deadline, undefined)).toMatchObject({
      classes: { urgent: { boostUs: 20_000 } },
      rules: [{ match: { nice: [-20, -1] }, class: 'urgent' }],
    });
  });

  it('refuses rules without their class, and classes that leave nothing to the rest', () => {
    expect(() => parseOptions(deadline, { rules: [{ match: {}, class: 'none' }] })).toThrow(
      'policy deadline: rules.0.class: no class "none"',
    );
    const classes = { a: { sharePercent: 60 }, b: { sharePercent: 40 } };
    expect(() => parseOptions(deadline, { classes, rules: [] })).toThrow('is 100, expected at most 80');
  });
});

describe('the budget of a class', () => {
  it('is never overdrawn: what is set aside in any window is at most the capacity and the share of the window', () => {
    const [each] = Object.values(options.parse(withClass(BOOSTED)).classes);
    const turn = fc.record({
      slot: fc.nat(7),
      passedNs: fc.nat(30 * MS),
      wantedUs: fc.nat(30_000),
      /** Of what is set aside, in hundredths; the rest comes back. */
      used: fc.nat(100),
      exits: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(turn, { maxLength: 200 }), (turns) => {
        const { arrays } = new TaskState(BUDGET_STATE, 8);
        const budgets = new Budgets(arrays as never, [each], 0, 2, ORDER_VALID_NS);
        for (let index = 0; index < 8; index++) budgets.begin(slot(index));
        const used: { atNs: number; us: number }[] = [];
        const ranNs = Array.from({ length: 8 }, () => 0);
        let nowNs = 0;
        for (const { slot: which, passedNs, wantedUs, used: percent, exits } of turns) {
          nowNs += passedNs;
          budgets.settle(slot(which), 0, ranNs[which], nowNs);
          const us = Math.min(wantedUs, budgets.leftUs(slot(which), 0));
          expect(us).toBeGreaterThanOrEqual(0);
          budgets.setAside(slot(which), 0, us);
          expect(budgets.fullness(slot(which), 0)).toBeGreaterThanOrEqual(-1e-9);
          ranNs[which] = (us * 1000 * percent) / 100;
          used.push({ atNs: nowNs, us: ranNs[which] / 1000 });
          if (!exits) continue;
          // Another task in its slot: nothing comes back.
          for (const field of Object.values(arrays)) field[which] = 0;
          budgets.begin(slot(which));
          ranNs[which] = 0;
        }
        const capacityUs = classCapacityUs(each, 2);
        used.forEach((first, from) => {
          let sumUs = 0;
          for (const { atNs, us } of used.slice(from)) {
            sumUs += us;
            const overUs = (atNs - first.atNs + ORDER_VALID_NS) / 1000;
            expect(sumUs).toBeLessThanOrEqual(2 * capacityUs + (2 * each.sharePercent * overUs) / 100 + 1);
          }
        });
      }),
    );
  });
});
