/** The library for policies; its heap and its first-in first-out queue are in policy-queues.test.ts. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BucketQueue } from '../../src/policy/lib/bucket-queue.js';
import { Ewma } from '../../src/policy/lib/ewma.js';
import { fingerprint } from '../../src/policy/lib/fingerprint.js';
import { noFacts, type TaskFacts, taskMatch, TaskRules } from '../../src/policy/lib/task-rules.js';
import { VTIME_STATE, VtimeClock } from '../../src/policy/lib/vtime-clock.js';
import { TaskState } from '../../src/policy/state.js';
import { slot } from '../../src/shm/slot.js';

const SLOTS = 16;
const SLICE_US = 5000;

function clocks(domains: number): { clocks: VtimeClock[]; vtimeNs: Float64Array } {
  const { arrays } = new TaskState(VTIME_STATE, SLOTS) as unknown as {
    arrays: { vtimeNs: Float64Array; vtimeSeenNs: Float64Array; vtimeHome: Uint32Array };
  };
  return {
    vtimeNs: arrays.vtimeNs,
    clocks: Array.from({ length: domains }, (_, domain) => new VtimeClock(arrays, domain, SLICE_US)),
  };
}

describe('BucketQueue', () => {
  it('gives back every slot once, lowest bucket first, in order of arrival within a bucket', () => {
    const steps = fc.array(
      fc.option(fc.record({ slot: fc.nat(SLOTS - 1), bucket: fc.integer({ min: -5, max: 1100 }) }), {
        freq: 2,
      }),
      { maxLength: 300 },
    );
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 1024 }), (operations, nrBuckets) => {
        const queue = new BucketQueue(SLOTS, nrBuckets);
        let model: { slot: number; bucket: number }[] = [];
        for (const operation of operations) {
          if (operation !== null) {
            if (model.some((entry) => entry.slot === operation.slot)) continue;
            const bucket = Math.max(0, Math.min(nrBuckets - 1, operation.bucket));
            queue.push(slot(operation.slot), operation.bucket);
            model.push({ slot: operation.slot, bucket });
          } else if (model.length > 0) {
            const lowest = Math.min(...model.map(({ bucket }) => bucket));
            const first = model.find(({ bucket }) => bucket === lowest)!;
            expect(queue.shift()).toBe(first.slot);
            model = model.filter((entry) => entry !== first);
          }
          expect(queue.size).toBe(model.length);
        }
      }),
    );
  });

  it('refuses a number of buckets it cannot have', () => {
    for (const nrBuckets of [0, 1025, 1.5, NaN])
      expect(() => new BucketQueue(4, nrBuckets)).toThrow(RangeError);
  });
});

describe('Ewma', () => {
  it('takes the first sample as it is, and stays between the least and the greatest', () => {
    const samples = fc.array(fc.double({ min: 1e-3, max: 1e9, noNaN: true }), {
      minLength: 1,
      maxLength: 50,
    });
    fc.assert(
      fc.property(samples, fc.double({ min: 1e-3, max: 1, noNaN: true }), (given, share) => {
        const average = new Ewma(new Float64Array(SLOTS), share);
        given.forEach((sample, index) => {
          average.add(slot(3), sample);
          if (index === 0) expect(average.value(slot(3))).toBe(sample);
        });
        expect(average.value(slot(3))).toBeGreaterThanOrEqual(Math.min(...given) * (1 - 1e-9));
        expect(average.value(slot(3))).toBeLessThanOrEqual(Math.max(...given) * (1 + 1e-9));
        expect(average.value(slot(4))).toBe(0);
      }),
    );
  });

  it('comes to within a thousandth of a new level after ln 1000 / share samples', () => {
    const average = new Ewma(new Float64Array(SLOTS), 0.1);
    average.add(slot(0), 1000);
    for (let count = 0; count < Math.ceil(Math.log(1000) / -Math.log(0.9)); count++)
      average.add(slot(0), 2000);
    expect(average.value(slot(0))).toBeGreaterThan(1999);
  });

  it('refuses a share that is none', () => {
    for (const share of [0, -1, 1.1, NaN])
      expect(() => new Ewma(new Float64Array(1), share)).toThrow(RangeError);
  });
});

describe('VtimeClock', () => {
  it('divides a CPU by weight when the earliest vtime always runs, whatever the slices', () => {
    const weights = fc.array(fc.integer({ min: 20, max: 2000 }), { minLength: 2, maxLength: 8 });
    fc.assert(
      fc.property(weights, fc.infiniteStream(fc.integer({ min: 1, max: 5 })), (given, slicesMs) => {
        const { clocks: made, vtimeNs } = clocks(1);
        const [clock] = made;
        const ran = given.map(() => 0);
        given.forEach((weight, index) => clock.arrive(slot(index), 0, weight, 0, 1e9));
        const roundMs = given.reduce((sum, weight) => sum + weight) / Math.min(...given);
        let totalMs = 0;
        while (totalMs < 400 * roundMs) {
          const earliest = given.reduce((a, _, b) => (vtimeNs[b] < vtimeNs[a] ? b : a), 0);
          const ms = slicesMs.next().value as number;
          clock.arrive(slot(earliest), ms * 1e6, given[earliest], 0, 1e9);
          ran[earliest] += ms;
          totalMs += ms;
        }
        const sum = given.reduce((a, b) => a + b);
        given.forEach((weight, index) => {
          expect(ran[index] / totalMs / (weight / sum)).toBeCloseTo(1, 1);
        });
      }),
      { numRuns: 20 },
    );
  });

  it('never goes back, keeps every lag within its bounds, and makes whole keys of them, whatever comes', () => {
    const arrivals = fc.array(
      fc.record({
        slot: fc.nat(SLOTS - 1),
        domain: fc.nat(1),
        ranNs: fc.oneof(fc.nat(1e9), fc.double({ min: 0, max: 2 ** 64, noNaN: true })),
        weight: fc.nat(10_000),
        boostNs: fc.nat(1e9),
      }),
      { maxLength: 100 },
    );
    fc.assert(
      fc.property(arrivals, fc.nat(), (given, domainClockNs) => {
        const { clocks: made } = clocks(2);
        const keyNs = new Float64Array(SLOTS);
        for (const { slot: which, domain, ranNs, weight, boostNs } of given) {
          const clock = made[domain];
          const before = clock.nowNs();
          clock.arrive(slot(which), ranNs, weight, boostNs, 7000);
          expect(clock.nowNs()).toBeGreaterThanOrEqual(before);
          expect(clock.lagNs(slot(which))).toBeGreaterThanOrEqual(-7000.001);
          expect(clock.lagNs(slot(which))).toBeLessThanOrEqual(4e9);
          clock.keyInto(slot(which), domainClockNs, boostNs, keyNs);
          expect(Number.isSafeInteger(keyNs[which])).toBe(true);
          const offsetUs = clock.offsetUs(slot(which), SLICE_US, boostNs);
          expect(Number.isInteger(offsetUs) && offsetUs >= 0 && offsetUs <= 2_000_000).toBe(true);
        }
      }),
    );
  });

  it('lets a task keep its lag, not its vtime, when it changes domain', () => {
    const { clocks: made, vtimeNs } = clocks(2);
    const [here, there] = made;
    here.arrive(slot(0), 0, 100, 0, 1e9);
    for (let count = 0; count < 100; count++) here.arrive(slot(0), 5e6, 100, 0, 1e9);
    const lagNs = here.lagNs(slot(0));
    expect(vtimeNs[0]).toBeGreaterThan(400e6);
    there.arrive(slot(0), 0, 100, 0, 1e9);
    expect(there.nowNs()).toBe(0);
    expect(there.lagNs(slot(0))).toBeCloseTo(lagNs, 3);
  });

  it('puts a new task a slice behind, and one that slept no more than its due ahead', () => {
    const [clock] = clocks(1).clocks;
    clock.arrive(slot(0), 0, 100, 0, 0);
    expect(clock.lagNs(slot(0))).toBe(SLICE_US * 1000);
    clock.arrive(slot(1), 0, 100, 0, 0);
    for (let count = 0; count < 100; count++) clock.arrive(slot(0), 5e6, 100, 0, 1e9);
    clock.arrive(slot(1), 0, 100, 0, 2e6);
    expect(clock.lagNs(slot(1))).toBe(-2e6);
  });
});

describe('fingerprint', () => {
  it('is never 0, the same for the same settings and another for others', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (settings) => {
        expect(fingerprint(settings)).toBe(fingerprint(structuredClone(settings)));
        expect(fingerprint(settings)).toBeGreaterThan(0);
      }),
    );
    expect(fingerprint([{ weight: 100 }])).not.toBe(fingerprint([{ weight: 101 }]));
  });
});

describe('TaskRules', () => {
  const facts = (given: Partial<TaskFacts>): TaskFacts => ({ ...noFacts(), ...given });
  const firstOf = (rules: object[], given: Partial<TaskFacts>): number =>
    new TaskRules(rules.map((rule) => taskMatch.parse(rule))).first(facts(given));

  it('matches each condition by its own kind of pattern', () => {
    const hits: [object, Partial<TaskFacts>][] = [
      [{ comm: 'post*' }, { comm: 'postgres' }],
      [{ comm: 'kworker/*' }, { comm: 'kworker/0:1' }],
      [{ comm: 'k*1' }, { comm: 'kworker/0:1' }],
      [{ comm: '{cc1,ld}' }, { comm: 'ld' }],
      [{ comm: '/^cc1(plus)?$/' }, { comm: 'cc1plus' }],
      [{ comm: '/XORG/i' }, { comm: 'Xorg' }],
      [{ uid: 1000 }, { uid: 1000 }],
      [{ uid: [0, 1000] }, { uid: 0 }],
      [{ nice: -5 }, { nice: -5 }],
      [{ nice: [5, 19] }, { nice: 5 }],
      [{ kind: 'thread' }, { isThread: true }],
      [{ kind: 'process' }, { isThread: false }],
      [{ cgroup: '/user.slice/**' }, { cgroup: '/user.slice/a/b.service' }],
      [{ cgroup: '/*.slice' }, { cgroup: '/user.slice' }],
      [{ exec: '/usr/{bin,lib}/**' }, { exec: '/usr/lib/x/y' }],
      [{}, {}],
    ];
    for (const [rule, given] of hits) expect([rule, firstOf([rule], given)]).toEqual([rule, 0]);
    const misses: [object, Partial<TaskFacts>][] = [
      [{ comm: 'post' }, { comm: 'postgres' }],
      [{ comm: '/^cc1$/' }, { comm: 'cc1plus' }],
      [{ uid: [1, 2] }, { uid: 0 }],
      [{ nice: [5, 19] }, { nice: 4 }],
      [{ kind: 'process' }, { isThread: true }],
      [{ cgroup: '/user.slice/*' }, { cgroup: '/user.slice/a/b.service' }],
      [{ cgroup: '/**' }, { cgroup: '' }],
      [
        { comm: 'a', uid: 1 },
        { comm: 'a', uid: 2 },
      ],
    ];
    for (const [rule, given] of misses) expect([rule, firstOf([rule], given)]).toEqual([rule, -1]);
  });

  it('takes the first that matches, as a search one by one does', () => {
    const rule = fc.record(
      {
        comm: fc.constantFrom('a*', '*b', '/^ab/'),
        uid: fc.nat(2),
        nice: fc.constantFrom([-20, -1], [0, 0], [0, 19]),
        kind: fc.constantFrom('process', 'thread'),
      },
      { requiredKeys: [] },
    );
    const given = fc.record({
      comm: fc.constantFrom('a', 'b', 'ab', 'abb', 'c'),
      uid: fc.nat(2),
      nice: fc.integer({ min: -20, max: 19 }),
      isThread: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 6 }), given, (rules, task) => {
        const alone = rules.findIndex((each) => firstOf([each], task) === 0);
        expect(firstOf(rules, task)).toBe(alone);
      }),
    );
  });

  it('says that a match is provisional only while an earlier rule turns on a path that is not known', () => {
    const rules = new TaskRules([{ exec: '/bin/x', comm: 'x' }, { comm: 'x*' }, { cgroup: '/late' }]);
    expect([rules.first(facts({ comm: 'x' })), rules.isProvisional]).toEqual([1, true]);
    expect([rules.first(facts({ comm: 'xy' })), rules.isProvisional]).toEqual([1, false]);
    expect([rules.first(facts({ comm: 'x', exec: '/bin/x' })), rules.isProvisional]).toEqual([0, false]);
    expect([rules.first(facts({ comm: 'x', exec: '' })), rules.isProvisional]).toEqual([1, false]);
    expect([rules.first(facts({ comm: 'y' })), rules.isProvisional]).toEqual([-1, true]);
    expect([rules.first(facts({ comm: 'y', cgroup: '' })), rules.isProvisional]).toEqual([-1, false]);
  });

  it('refuses what is no pattern, no range, no user', () => {
    for (const rule of [
      { comm: '/(/' },
      { comm: '' },
      { nice: [0, 20] },
      { nice: -21 },
      { uid: -1 },
      { uid: [] },
      { kind: 'fibre' },
      { cgroup: 'relative' },
      { name: 'x' },
    ]) {
      expect([rule, taskMatch.safeParse(rule).success]).toEqual([rule, false]);
    }
  });
});
