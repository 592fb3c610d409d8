/** What a policy is told, and when: on a simulated kernel. */
import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { parseOptions } from '../../src/policy/options.js';
import {
  definePolicy,
  type Policy,
  type PolicyContext,
  type PolicyDefinition,
} from '../../src/policy/policy.js';
import type { StateSpec } from '../../src/policy/state.js';
import { LIMIT, ORDER_FLAG } from '../../src/shm/layout.generated.js';
import type { Slot } from '../../src/shm/slot.js';
import { loopsWith, MS, SECOND } from './sim-loops.js';

type Context = PolicyContext<undefined, { seen: 'u32' }>;

/** Order of arrival, and whatever a test adds. */
function policyWith(
  add: (context: Context) => Partial<Policy>,
  module: Partial<Pick<PolicyDefinition, 'name' | 'standing' | 'tickMs'>> = {},
): PolicyDefinition {
  return definePolicy({
    name: 'test',
    summary: 'a test policy',
    state: { seen: 'u32' } satisfies StateSpec,
    ...module,
    create(context: Context) {
      const held: Slot[] = [];
      return {
        enqueue: (slot) => void held.push(slot),
        dispatch(room) {
          for (const slot of held.splice(0, room)) {
            context.decisions.keyNs[slot] = context.clock.clockNs();
            context.decisions.publish(slot, 2000, LIMIT.CPU_ANY, 0);
          }
        },
        ...add(context),
      };
    },
  });
}

/** Has all there is to be told written down, in words. */
function telling(log: string[], module: Parameters<typeof policyWith>[1] = {}): PolicyDefinition {
  return policyWith((context) => {
    const held: Slot[] = [];
    return {
      enqueue(slot) {
        log.push(`${slot} enqueue`);
        held.push(slot);
      },
      dispatch(room) {
        for (const slot of held.splice(0, room)) context.decisions.publish(slot, 2000, LIMIT.CPU_ANY, 0);
      },
      dequeue(slot) {
        log.push(`${slot} dequeue`);
        held.splice(held.indexOf(slot), 1);
      },
      taskInit: (slot) => void log.push(`${slot} init`),
      taskExit: (slot) => void log.push(`${slot} exit`),
      running: (slot, cpu) => void log.push(`${slot} running ${cpu}`),
      stopping: (slot, cpu) => void log.push(`${slot} stopping ${cpu}`),
      weightChanged: (slot) => void log.push(`${slot} weight ${context.tasks.weight(slot)}`),
      affinityChanged: (slot) => void log.push(`${slot} affinity`),
      unload: () => void log.push('unload'),
    };
  }, module);
}

describe('taskInit', () => {
  it('comes once for each task, before its first enqueue, with state that is 0 also in a used slot', () => {
    const inits: number[] = [];
    const policy = policyWith(({ state, decisions, clock }) => {
      const held: Slot[] = [];
      return {
        taskInit(slot) {
          inits.push(slot);
          expect(state.seen[slot]).toBe(0);
        },
        enqueue(slot) {
          expect(inits).toContain(slot);
          state.seen[slot]++;
          held.push(slot);
        },
        dispatch() {
          for (const slot of held.splice(0)) {
            decisions.keyNs[slot] = clock.clockNs();
            decisions.publish(slot, 1000, LIMIT.CPU_ANY, 0);
          }
        },
      };
    });
    const { kernel } = loopsWith(policy, { domains: [[0, 1]], nrSlots: 16 });
    const sleepers = [0, 1].map(() => kernel.spawn({ runNs: MS, sleepNs: 2 * MS }));
    for (let round = 0; round < 30; round++) {
      for (let index = 0; index < 5; index++) kernel.spawn({ runNs: 3 * MS });
      kernel.run((round + 1) * 20 * MS);
    }
    // 5 slots used 30 times, and two that stayed.
    expect(inits).toHaveLength(152);
    expect(new Set(inits).size).toBe(7);
    for (const { slot } of sleepers) expect(inits.filter((init) => init === Number(slot))).toHaveLength(1);
  });

  it('comes for the new task of a slot whose former task went while the policy held it', () => {
    const inits: number[] = [];
    let holds = true;
    const held: Slot[] = [];
    const policy = policyWith(({ decisions }) => ({
      taskInit: (slot) => void inits.push(slot),
      enqueue: (slot) => void held.push(slot),
      dispatch() {
        if (holds) return;
        for (const slot of held.splice(0)) decisions.publish(slot, 0, LIMIT.CPU_ANY, 0);
      },
    }));
    const { kernel } = loopsWith(policy);
    kernel.kill(kernelSpawned(kernel, MS));
    const second = kernelSpawned(kernel, 2 * MS);
    expect(inits).toEqual([0, 0]);
    expect(held).toEqual([0]);
    holds = false;
    kernel.spawn({ runNs: MS });
    kernel.run(SECOND);
    expect(second.exited).toBe(true);
    expect(second.runs).toBe(1);
  });
});

/** A task that has asked. */
function kernelSpawned(kernel: ReturnType<typeof loopsWith>['kernel'], atNs: number) {
  const task = kernel.spawn({ runNs: MS });
  kernel.run(atNs);
  return task;
}

describe('events', () => {
  it('tell a task’s life in order', () => {
    const log: string[] = [];
    const { kernel } = loopsWith(telling(log));
    kernel.spawn({ runNs: 3 * MS });
    kernel.spawn({ runNs: MS, startNs: MS });
    kernel.run(SECOND);
    expect(log.filter((line) => line.startsWith('0'))).toEqual([
      '0 init',
      '0 enqueue',
      '0 running 0',
      '0 stopping 0',
      '0 enqueue',
      '0 running 0',
      '0 stopping 0',
      '0 exit',
    ]);
    expect(log.filter((line) => line.startsWith('1'))).toEqual([
      '1 init',
      '1 enqueue',
      '1 running 0',
      '1 stopping 0',
      '1 exit',
    ]);
  });

  it('alternate running and stopping for each task and for each CPU', () => {
    const log: string[] = [];
    const { kernel } = loopsWith(telling(log), { domains: [[0, 1, 2]] });
    for (let index = 0; index < 7; index++) kernel.spawn({ runNs: (1 + index) * MS, sleepNs: 3 * MS });
    kernel.run(SECOND);
    for (const key of [0, 1, 2, 3, 4, 5, 6]) {
      const own = log.filter(
        (line) => line.startsWith(`${key} running`) || line.startsWith(`${key} stopping`),
      );
      expect(own.length).toBeGreaterThan(50);
      own.forEach((line, index) => {
        expect(line).toContain(index % 2 === 0 ? 'running' : 'stopping');
      });
    }
    for (const cpu of [0, 1, 2]) {
      const own = log.filter((line) => line.endsWith(`ing ${cpu}`)).map((line) => line.split(' '));
      own.forEach(([slot, kind], index) => {
        expect(kind).toBe(index % 2 === 0 ? 'running' : 'stopping');
        if (kind === 'stopping') expect(slot).toBe(own[index - 1][0]);
      });
    }
  });

  it('tell of weights and affinity, and of held tasks that are taken away', () => {
    const log: string[] = [];
    const held: Slot[] = [];
    const policy = telling(log);
    const holding = definePolicy({
      ...policy,
      create: (context) => ({
        ...policy.create(context),
        enqueue(slot) {
          log.push(`${slot} enqueue`);
          held.push(slot);
        },
        dispatch: () => undefined,
        dequeue(slot) {
          log.push(`${slot} dequeue`);
          held.splice(held.indexOf(slot), 1);
        },
      }),
    });
    const { kernel } = loopsWith(holding, { domains: [[0, 1]] });
    const first = kernel.spawn({ runNs: MS });
    const second = kernel.spawn({ runNs: MS });
    kernel.run(MS);
    kernel.setWeight(first, 250);
    kernel.setAffinity(first, [1]);
    kernel.kill(second);
    kernel.spawn({ runNs: MS, startNs: 2 * MS });
    kernel.run(3 * MS);
    expect(log).toEqual([
      '0 init',
      '0 enqueue',
      '1 init',
      '1 enqueue',
      '0 weight 250',
      '0 dequeue',
      '0 affinity',
      '0 enqueue',
      '1 dequeue',
      '1 exit',
      '1 init',
      '1 enqueue',
    ]);
    expect(held).toEqual([0, 1]);
  });

  it('cost nothing when the policy has no methods for them', () => {
    const { kernel } = loopsWith(policyWith(() => ({})));
    for (let index = 0; index < 3; index++) kernel.spawn({ runNs: MS, sleepNs: MS });
    kernel.run(SECOND);
    expect(kernel.domains[0].counters()).toMatchObject({ events: 0, events_lost: 0 });
  });

  it('that find the task ring full are lost and counted, and nothing else is', () => {
    const log: string[] = [];
    const { kernel } = loopsWith(telling(log), { taskRingSize: 4 });
    const tasks = Array.from({ length: 30 }, () => kernel.spawn({ runNs: MS }));
    kernel.run(5 * MS);
    for (const task of tasks) kernel.setWeight(task, 200);
    kernel.run(SECOND);
    for (const task of tasks) expect(task.exited).toBe(true);
    expect(kernel.domains[0].counters().events_lost).toBeGreaterThan(0);
  });
});

describe('tick', () => {
  it.each([5, 50])('comes every %i ms, also while the domain idles, and not without the method', (tickMs) => {
    let ticks = 0;
    const { kernel } = loopsWith(policyWith(() => ({ tick: () => void (ticks += 1) }), { tickMs }));
    kernel.spawn({ runNs: MS, startNs: MS });
    kernel.run(SECOND);
    expect(Math.abs(ticks - 1000 / tickMs)).toBeLessThanOrEqual(1);
    const { kernel: other } = loopsWith(policyWith(() => ({}), { tickMs }));
    expect(other.domains[0].tickMs).toBe(0);
  });

  it('may decide, and kick', () => {
    const held: Slot[] = [];
    let isDue = false;
    const policy = policyWith(
      ({ decisions, cpus }) => ({
        enqueue: (slot) => void held.push(slot),
        tick() {
          isDue = true;
          expect(decisions.kick(cpus.own[0], true)).toBe(true);
        },
        dispatch() {
          if (!isDue) return;
          isDue = false;
          for (const slot of held.splice(0)) decisions.publish(slot, 100_000, LIMIT.CPU_ANY, 0);
        },
      }),
      { tickMs: 20, standing: 'none' },
    );
    const { kernel } = loopsWith(policy);
    const tasks = [0, 1].map(() => kernel.spawn({ runNs: Infinity }));
    kernel.run(SECOND);
    // Each kick ends a turn; what was interrupted has slice left, and goes on without being asked.
    for (const task of tasks) expect(task.runs).toBeGreaterThan(20);
    expect(kernel.domains[0].counters().resumed).toBeGreaterThan(30);
    expect(kernel.domains[0].counters().bad_cpu).toBe(0);
  });
});

describe('CPU states', () => {
  it('say what runs where since when, and which CPU idles', () => {
    const seen: unknown[] = [];
    const policy = policyWith(
      ({ cpus }) => ({
        tick() {
          seen.push([...cpus.own].map((cpu) => [cpus.slot(cpu), cpus.isIdle(cpu), cpus.sinceNs(cpu) / MS]));
          seen.push(cpus.idle());
        },
      }),
      { tickMs: 10 },
    );
    const { kernel } = loopsWith(policy, { domains: [[0, 1]] });
    kernel.spawn({ runNs: 25 * MS, startNs: 2 * MS });
    kernel.run(33 * MS);
    // Ticks at 12, 22 and 32 ms.
    const never = [-1, true, 0];
    const ran = [[0, false, 2], never];
    const ended = [[-1, true, 2], never];
    expect(seen).toEqual([ran, 1, ran, 1, ended, 0]);
  });
});

describe('standing orders', () => {
  const standing = (policy: PolicyDefinition, askAlways = false): number => {
    const { kernel } = loopsWith(policy, { askAlways });
    kernel.spawn({ runNs: Infinity });
    kernel.spawn({ runNs: MS, sleepNs: MS });
    kernel.run(SECOND);
    const { standing: count, asked } = kernel.domains[0].counters();
    expect(asked).toBeGreaterThan(0);
    return count;
  };

  it('are made from its decisions for a policy that never mentions them', () => {
    expect(standing(policyWith(() => ({})))).toBeGreaterThan(100);
  });

  it('are not made when it opts out, leaves its own only, or everything is asked', () => {
    expect(standing(policyWith(() => ({}), { standing: 'none' }))).toBe(0);
    expect(standing(policyWith(() => ({}), { standing: 'own' }))).toBe(0);
    expect(
      standing(
        policyWith(() => ({})),
        true,
      ),
    ).toBe(0);
  });

  it('are the policy’s own where it leaves some', () => {
    const policy = policyWith(({ decisions }) => {
      const held: Slot[] = [];
      return {
        enqueue: (slot) => void held.push(slot),
        dispatch() {
          for (const slot of held.splice(0)) {
            expect(decisions.standing(slot, 2, 1000, 0, 0, 0, 777, LIMIT.CPU_ANY, ORDER_FLAG.PREEMPT)).toBe(
              true,
            );
            expect(decisions.orderStands(slot, 777)).toBe(true);
            decisions.publish(slot, 777, LIMIT.CPU_ANY, 0);
          }
        },
      };
    });
    const { kernel } = loopsWith(policy);
    kernel.spawn({ runNs: 0.1 * MS, sleepNs: MS });
    kernel.run(SECOND);
    const { standing: used, asked } = kernel.domains[0].counters();
    // Two wake-ups to an order.
    expect(used / asked).toBeGreaterThan(1.9);
    expect(used / asked).toBeLessThanOrEqual(2);
  });

  it('stay the policy’s own when it leaves several before it decides any', () => {
    const policy = policyWith(({ decisions }) => {
      const held: Slot[] = [];
      return {
        enqueue: (slot) => void held.push(slot),
        dispatch() {
          if (held.length < 2) return;
          const batch = held.splice(0);
          for (const slot of batch) decisions.standing(slot, 2, 1000, 0, 0, 0, 777, LIMIT.CPU_ANY, 0);
          for (const slot of batch) decisions.publish(slot, 777, LIMIT.CPU_ANY, 0);
        },
      };
    });
    const { kernel } = loopsWith(policy);
    for (let count = 0; count < 8; count++) kernel.spawn({ runNs: 0.1 * MS, sleepNs: MS });
    kernel.run(SECOND);
    const { standing: used, asked } = kernel.domains[0].counters();
    expect(asked).toBeGreaterThan(100);
    // One made from a decision would be good for many more wake-ups.
    expect(used / asked).toBeGreaterThan(1.5);
    expect(used / asked).toBeLessThanOrEqual(2);
  });
});

describe('parseOptions', () => {
  it('takes a schema or what makes one, and refuses options where there are none', () => {
    const nothing = (): void => undefined;
    const create = (): Policy => ({ enqueue: nothing, dispatch: nothing });
    const options = (zod: typeof z) => zod.strictObject({ share: zod.number().max(1).default(0.5) });
    const made = definePolicy({ name: 'made', summary: '', options, create });
    expect(parseOptions(made, undefined)).toEqual({ share: 0.5 });
    expect(() => parseOptions(made, { share: 2 })).toThrow('policy made: share: ');
    expect(() =>
      parseOptions(
        policyWith(() => ({})),
        { what: 1 },
      ),
    ).toThrow('this policy has none');
    expect(
      parseOptions(
        policyWith(() => ({})),
        {},
      ),
    ).toBeUndefined();
  });
});

describe('DomainLoop.replace', () => {
  it('carries held tasks over, has the old policy unload, and tells the new one of each task anew', () => {
    const before: string[] = [];
    const after: string[] = [];
    const holding = policyWith(
      () => ({ dispatch: () => undefined, unload: () => void before.push('unload'), tick: () => undefined }),
      { tickMs: 5 },
    );
    const { kernel, loops } = loopsWith(holding, { domains: [[0, 1]] });
    const tasks = Array.from({ length: 5 }, () => kernel.spawn({ runNs: MS, sleepNs: MS }));
    kernel.run(10 * MS);
    expect(tasks.map(({ runs }) => runs)).toEqual([0, 0, 0, 0, 0]);
    loops[0].replace({ policy: telling(after, { name: 'other' }) });
    expect(before).toEqual(['unload']);
    expect(after).toEqual(tasks.flatMap(({ slot }) => [`${slot} init`, `${slot} enqueue`]));
    expect(loops[0].hasWork()).toBe(true);
    expect(kernel.domains[0].tickMs).toBe(0);
    kernel.run(SECOND);
    for (const task of tasks) expect(task.runs).toBeGreaterThan(100);
    expect(after.filter((line) => line.endsWith('init'))).toHaveLength(5);
  });

  it('tells the new policy also of tasks it did not hold, at their next enqueue, and their state is 0', () => {
    const { kernel, loops } = loopsWith(
      policyWith(({ state }) => ({ taskInit: (slot) => void (state.seen[slot] = 7) })),
    );
    const tasks = Array.from({ length: 5 }, () => kernel.spawn({ runNs: Infinity }));
    kernel.run(100 * MS);
    const inits: number[] = [];
    const next = policyWith(
      ({ state }) => ({
        taskInit(slot) {
          expect(state.seen[slot]).toBe(0);
          inits.push(slot);
        },
      }),
      { name: 'other' },
    );
    loops[0].replace({ policy: next });
    kernel.run(200 * MS);
    expect(inits.sort((a, b) => a - b)).toEqual(tasks.map(({ slot }) => Number(slot)));
  });

  it('leaves the old policy in place when the new one cannot be made, and loses nothing', () => {
    const { kernel, loops } = loopsWith(policyWith(() => ({ tick: () => undefined }), { tickMs: 10 }));
    const task = kernel.spawn({ runNs: MS, sleepNs: MS });
    kernel.run(100 * MS);
    const broken = definePolicy({
      name: 'broken',
      summary: '',
      create: () => {
        throw new Error('no such luck');
      },
    });
    expect(() => {
      loops[0].replace({ policy: broken });
    }).toThrow('no such luck');
    expect(kernel.domains[0].tickMs).toBe(10);
    const { runs } = task;
    kernel.run(200 * MS);
    expect(task.runs).toBeGreaterThan(runs + 40);
  });

  it('swaps back and forth under load, and every task goes on', () => {
    const { kernel, loops } = loopsWith('vtime', { domains: [[0, 1]] });
    const tasks = Array.from({ length: 12 }, (_, index) =>
      kernel.spawn({ runNs: (1 + (index % 4)) * MS, sleepNs: index % 3 === 0 ? 2 * MS : 0 }),
    );
    const log: string[] = [];
    const policies = [telling(log), policyWith(() => ({}), { name: 'other' })];
    for (let turn = 1; turn <= 100; turn++) {
      kernel.run(turn * 10 * MS);
      loops[0].replace({ policy: policies[turn & 1] });
    }
    const before = tasks.map(({ runs }) => runs);
    kernel.run(2 * SECOND);
    tasks.forEach((task, index) => {
      expect(task.runs).toBeGreaterThan(before[index] + 50);
    });
    expect(kernel.domains[0].counters()).toMatchObject({ stale: 0, dead_slot: 0 });
  });
});
