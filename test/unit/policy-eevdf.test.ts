/** The policy eevdf on a simulated kernel: what its run queue promises, as far as the kernel's order by keys lets it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { setUpSimMemory } from '../../src/kernel/sim-memory.js';
import { SimDecisionConsumer, SimTaskProducer } from '../../src/kernel/sim-rings.js';
import { BUILTIN_POLICY_NAMES } from '../../src/policy/builtin-names.js';
import { builtinPolicy } from '../../src/policy/builtin.js';
import { parseOptions } from '../../src/policy/options.js';
import { domainPlace, writeU64 } from '../../src/shm/arena.js';
import { DOMAIN, SLOT } from '../../src/shm/layout.generated.js';
import { slot } from '../../src/shm/slot.js';
import { DomainLoop } from '../../src/worker/domain-loop.js';
import { loopsWith, MS, SECOND } from './sim-loops.js';

describe('eevdf', () => {
  it('is built in, and checks its options', () => {
    expect(BUILTIN_POLICY_NAMES).toContain('eevdf');
    const policy = builtinPolicy('eevdf')!;
    expect(parseOptions(policy, undefined)).toEqual({ baseSliceUs: 3000, minSliceUs: 500 });
    expect(() => parseOptions(policy, { baseSliceUs: 1000, minSliceUs: 2000 })).toThrow(
      'policy eevdf: minSliceUs: expected no more than baseSliceUs',
    );
    expect(() => parseOptions(policy, { quantumUs: 1 })).toThrow('quantumUs');
  });

  it.each([1, 2])(
    'gives hogs CPU time in proportion to their weights, within 5 percent, on %i CPUs',
    (nrCpus) => {
      const weights = [34, 100, 100, 100, 100, 305];
      const cpus = Array.from({ length: nrCpus }, (_, cpu) => cpu);
      const { kernel } = loopsWith('eevdf', { domains: [cpus] });
      const tasks = weights.map((weight) => kernel.spawn({ runNs: Infinity, weight }));
      kernel.run(10 * SECOND);
      const total = weights.reduce((a, b) => a + b);
      tasks.forEach((task, index) => {
        const share = task.cpuNs / (10 * SECOND * nrCpus) / (weights[index] / total);
        expect(share).toBeGreaterThan(0.95);
        expect(share).toBeLessThan(1.05);
      });
    },
  );

  it.each([1, 2])(
    'does so when some are far lighter, whom others may pass before their deadlines, on %i CPUs',
    (nrCpus) => {
      const weights = [305, 100, 100, 34, 11, 5];
      const cpus = Array.from({ length: nrCpus }, (_, cpu) => cpu);
      const { kernel } = loopsWith('eevdf', { domains: [cpus] });
      const tasks = weights.flatMap((weight) =>
        cpus.map(() => ({ weight, task: kernel.spawn({ runNs: Infinity, weight }) })),
      );
      // Two turns of the lightest task's are 10 % of what it gets in so short a time.
      kernel.run(30 * SECOND);
      const total = weights.reduce((a, b) => a + b);
      for (const { weight, task } of tasks) {
        const share = task.cpuNs / (30 * SECOND) / (weight / total);
        expect(share, `weight ${weight}`).toBeGreaterThan(0.95);
        expect(share, `weight ${weight}`).toBeLessThan(1.05);
      }
    },
  );

  it('never lets a hog fall behind its share by more than three requests, nor get ahead', () => {
    const weights = [50, 100, 200, 400];
    const { kernel } = loopsWith('eevdf');
    const tasks = weights.map((weight) => kernel.spawn({ runNs: Infinity, weight }));
    const total = weights.reduce((a, b) => a + b);
    for (let atMs = 100; atMs < 5000; atMs += 7) {
      kernel.run(atMs * MS);
      tasks.forEach((task, index) => {
        const owedNs = (atMs * MS * weights[index]) / total - task.cpuNs;
        expect(Math.abs(owedNs)).toBeLessThanOrEqual(3 * 3 * MS);
      });
    }
  });

  it('has a sleeper with short requests wait for less than the hogs, never longer than a request, and get all it wants', () => {
    const mean = (all: number[]): number => all.reduce((a, b) => a + b, 0) / all.length / MS;
    const { kernel } = loopsWith('eevdf', { askAlways: true });
    const hogs = Array.from({ length: 2 }, () => kernel.spawn({ runNs: Infinity }));
    const long = Array.from({ length: 8 }, (_, other) =>
      kernel.spawn({ runNs: 2.5 * MS, sleepNs: (17 + other) * MS }),
    );
    const sleeper = kernel.spawn({ runNs: 0.4 * MS, sleepNs: 9.6 * MS, startNs: SECOND });
    kernel.run(11 * SECOND);
    const waits = sleeper.waitsNs.slice(50);
    expect(mean(waits)).toBeLessThan(
      mean([...hogs, ...long].flatMap(({ waitsNs }) => waitsNs.slice(50))) / 4,
    );
    expect(Math.max(...waits)).toBeLessThanOrEqual(3 * MS);
    expect(sleeper.cpuNs / (10 * SECOND)).toBeGreaterThan(0.038);
  });

  it('has sleepers wait hardly at all under standing orders', () => {
    const { kernel } = loopsWith('eevdf');
    for (let hog = 0; hog < 4; hog++) kernel.spawn({ runNs: Infinity });
    const sleeper = kernel.spawn({ runNs: 0.2 * MS, sleepNs: 10 * MS, startNs: SECOND });
    kernel.run(5 * SECOND);
    expect(kernel.domains[0].counters().standing).toBeGreaterThan(200);
    expect(Math.max(...sleeper.waitsNs.slice(20)) / MS).toBeLessThanOrEqual(1);
  });

  it('gives nothing for having slept: one that comes back after a second is not ahead by that', () => {
    const { kernel } = loopsWith('eevdf', { askAlways: true });
    const hog = kernel.spawn({ runNs: Infinity });
    const sleeper = kernel.spawn({ runNs: 500 * MS, sleepNs: SECOND });
    kernel.run(SECOND);
    const before = { hog: hog.cpuNs, sleeper: sleeper.cpuNs };
    kernel.run(2 * SECOND + 200 * MS);
    // It slept from about 1.0 to 2.0 s; of the 0.2 s since it got half.
    const gained = sleeper.cpuNs - before.sleeper;
    expect(gained / (200 * MS)).toBeGreaterThan(0.4);
    expect(gained / (200 * MS)).toBeLessThan(0.6);
  });

  it('does not owe a task what it was owed while there was a CPU for everybody', () => {
    const { kernel } = loopsWith('eevdf', { domains: [[0, 1]] });
    const tasks = [100, 400].map((weight) => kernel.spawn({ runNs: Infinity, weight }));
    const third = kernel.spawn({ runNs: Infinity, weight: 100, startNs: 5 * SECOND });
    kernel.run(5.5 * SECOND);
    // 2 CPUs among 100, 400, 100: the heavy one has one, the others half of one each.
    expect(third.cpuNs / (0.25 * SECOND)).toBeGreaterThan(0.8);
    expect(third.cpuNs / (0.25 * SECOND)).toBeLessThan(1.2);
    expect(tasks[1].cpuNs / (5.5 * SECOND)).toBeGreaterThan(0.9);
  });

  it('keeps all CPUs of a domain busy', () => {
    const { kernel } = loopsWith('eevdf', { domains: [[0, 1, 2, 3]] });
    const tasks = Array.from({ length: 9 }, (_, index) =>
      kernel.spawn({ runNs: Infinity, weight: 50 + 50 * index }),
    );
    kernel.run(5 * SECOND);
    expect(tasks.reduce((sum, task) => sum + task.cpuNs, 0) / (20 * SECOND)).toBeGreaterThan(0.999);
  });

  it('orders what it publishes together so that the first is eligible, with the earliest deadline of all eligible', () => {
    const SLOTS = 16;
    // Rounding to nanoseconds adds up over a trace.
    const SLACK_NS = 100;
    const asks = fc.array(
      fc.record({
        which: fc.nat(SLOTS - 1),
        weight: fc.integer({ min: 100, max: 1000 }),
        ranNs: fc.nat(3 * MS),
      }),
      { minLength: 1, maxLength: 8 },
    );
    fc.assert(
      fc.property(fc.array(asks, { maxLength: 20 }), (batches) => {
        const arena = setUpSimMemory({
          domains: [{ cpus: [0] }],
          nrSlots: SLOTS,
          taskRingSize: 64,
          decisionRingSize: 64,
        });
        const options = { baseSliceUs: 3000, minSliceUs: 3000 };
        const policy = builtinPolicy('eevdf')!;
        const loop = new DomainLoop(arena, {
          domain: 0,
          policy,
          options: parseOptions(policy, options),
          ask: 'always',
          sliceUs: 5000,
        });
        const producer = new SimTaskProducer(arena, 0);
        const consumer = new SimDecisionConsumer(arena, 0);
        // Everybody stays runnable, and virtual time as the definition has it, beside the policy's own.
        const model = new Map<number, { v: number; deadline: number; weight: number }>();
        const zeroLag = (): number => {
          const all = [...model.values()];
          return (
            all.reduce((a, { v, weight }) => a + v * weight, 0) /
            (all.reduce((a, { weight }) => a + weight, 0) || 1)
          );
        };
        for (const batch of batches) {
          const asked = new Map(batch.map((ask) => [ask.which, ask]));
          for (const [which, { weight, ranNs }] of asked) {
            const known = model.get(which);
            const task = known ?? { v: zeroLag(), deadline: 0, weight };
            task.v += known === undefined ? 0 : (ranNs * 100) / task.weight;
            // Whether a request is over that is over to a rounding error, both may say.
            if (known !== undefined && Math.abs(task.v - task.deadline) < SLACK_NS) return;
            if (known === undefined || task.v >= task.deadline)
              task.deadline = task.v + (3 * MS * 100) / task.weight;
            model.set(which, task);
            const at = arena.slotsWord + which * SLOT.words;
            arena.words[at + SLOT.word.weight] = task.weight;
            arena.words[at + SLOT.word.enq]++;
            writeU64(arena.words, at + SLOT.word.runnableSinceNs, 1);
            writeU64(arena.words, at + SLOT.word.execSinceDecisionNs, known === undefined ? 0 : ranNs);
            producer.push(slot(which), 0);
          }
          writeU64(
            arena.words,
            domainPlace(arena, 0).domainWord + DOMAIN.word.clockNs,
            Math.max(0, Math.floor(zeroLag())),
          );
          expect(loop.batch()).toBe(asked.size);
          const keys: { which: number; key: number }[] = [];
          while (consumer.take()) keys.push({ which: consumer.slot, key: consumer.key[0] });
          const first = keys.reduce((a, b) => (b.key < a.key ? b : a));
          const now = zeroLag();
          const of = (which: number) => model.get(which)!;
          const surely = keys.filter(({ which }) => of(which).v <= now - SLACK_NS);
          if (surely.length === 0) continue;
          const earliest = Math.min(...surely.map(({ which }) => of(which).deadline));
          expect(of(first.which).v).toBeLessThanOrEqual(now + SLACK_NS);
          expect(of(first.which).deadline).toBeLessThanOrEqual(earliest + SLACK_NS);
        }
      }),
      { numRuns: 200 },
    );
  });
});
