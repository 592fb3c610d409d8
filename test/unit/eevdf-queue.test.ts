/** The run queue of eevdf against the published definition, and against a reference that knows nothing but that. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EevdfQueue } from '../../src/policy/queues/eevdf-queue.js';
import { slot } from '../../src/shm/slot.js';
import { randomNumbers } from '../native/random.js';

function zeroLagNs(queue: EevdfQueue): number {
  queue.findZeroLag();
  return queue.zeroNs[0];
}

const SLOTS = 16;
const BASE_NS = 3_000_000;
const TURNS = 1000;
const LAG_MAX_NS = 2 * BASE_NS;

interface Entity {
  readonly slot: number;
  weight: bigint;
  v: bigint;
  deadline: bigint;
  waiting: boolean;
}

/** Zero lag and eligibility by their definitions, in whole numbers without rounding, looking at everybody each time. */
class Reference {
  readonly entities = new Map<number, Entity>();

  private sum(of: (entity: Entity) => bigint): bigint {
    return [...this.entities.values()].reduce((total, entity) => total + of(entity), 0n);
  }

  /** sum(w * lag), which is 0 by definition, is what this is compared through: V = sum(w * v) / sum(w). */
  zeroLag(): { numerator: bigint; denominator: bigint } {
    return {
      numerator: this.sum(({ weight, v }) => weight * v),
      denominator: this.sum(({ weight }) => weight),
    };
  }

  eligible(): Entity[] {
    const { numerator, denominator } = this.zeroLag();
    return [...this.entities.values()].filter(({ waiting, v }) => waiting && v * denominator <= numerator);
  }

  /** All that may be picked: equal deadlines are a free choice. */
  best(): number[] {
    const waiting = [...this.entities.values()].filter((entity) => entity.waiting);
    const eligible = this.eligible();
    const key = eligible.length > 0 ? (entity: Entity) => entity.deadline : (entity: Entity) => entity.v;
    const from = eligible.length > 0 ? eligible : waiting;
    const least = from.reduce((a, entity) => (key(entity) < a ? key(entity) : a), key(from[0]));
    return from.filter((entity) => key(entity) === least).map((entity) => entity.slot);
  }
}

interface Step {
  readonly kind: 'join' | 'leave' | 'charge' | 'reweight' | 'wait' | 'pick';
  readonly slot: number;
  readonly weight: number;
  readonly amountNs: number;
}

const weights = fc.oneof(
  fc.constantFrom(1, 25, 100, 100, 100, 335, 10_000),
  fc.integer({ min: 1, max: 10_000 }),
);
const steps = fc.array(
  fc.record<Step>({
    kind: fc.constantFrom('join', 'join', 'leave', 'charge', 'reweight', 'wait', 'wait', 'pick', 'pick'),
    slot: fc.nat(SLOTS - 1),
    weight: weights,
    amountNs: fc.integer({ min: 0, max: 4 * BASE_NS }),
  }),
  { maxLength: 400 },
);

class Pair {
  readonly lagNs = new Float64Array(SLOTS);
  readonly requestNs = new Uint32Array(SLOTS).fill(BASE_NS);
  readonly queue = new EevdfQueue(SLOTS, this.lagNs, this.requestNs, LAG_MAX_NS);
  readonly reference = new Reference();

  /** What is told to the queue; the reference copies where it was put, and judges what it makes of it. */
  private adopt(which: number, weight: number): void {
    const v = BigInt(this.queue.vruntimeNs[which]);
    const deadline = BigInt(this.queue.deadlineNs[which]);
    this.reference.entities.set(which, { slot: which, weight: BigInt(weight), v, deadline, waiting: false });
  }

  step({ kind, slot: which, weight, amountNs }: Step): void {
    const { queue, reference, lagNs, requestNs } = this;
    const entity = reference.entities.get(which);
    switch (kind) {
      case 'join':
        if (entity !== undefined) return;
        requestNs[which] = Math.max(100_000, amountNs);
        this.checkLagAfter(which, weight, lagNs[which], () => {
          queue.join(slot(which), weight);
          this.adopt(which, weight);
        });
        return;
      case 'leave':
        if (entity === undefined || entity.waiting) return;
        reference.entities.delete(which);
        queue.leave(slot(which));
        return;
      case 'charge':
        if (entity === undefined || entity.waiting) return;
        queue.charge(slot(which), amountNs);
        entity.v += (BigInt(amountNs) * 100n) / entity.weight;
        return;
      case 'reweight': {
        if (entity === undefined || entity.waiting) return;
        const owed = (zeroLagNs(queue) - Number(entity.v)) * Number(entity.weight);
        reference.entities.delete(which);
        this.checkLagAfter(which, weight, owed / weight, () => {
          queue.reweight(slot(which), weight);
          this.adopt(which, weight);
        });
        return;
      }
      case 'wait':
        if (entity === undefined || entity.waiting) return;
        queue.wait(slot(which));
        if (entity.v >= entity.deadline) {
          entity.deadline = entity.v + (BigInt(requestNs[which]) * 100n) / entity.weight;
        }
        entity.waiting = true;
        return;
      case 'pick': {
        if (queue.size === 0) return;
        const best = reference.best();
        const picked = queue.pick();
        expect(best).toContain(picked);
        reference.entities.get(picked)!.waiting = false;
      }
    }
  }

  /** Afterwards its lag is what it was, within the bound and a nanosecond of rounding; alone, there is none. */
  private checkLagAfter(which: number, weight: number, lagNs: number, join: () => void): void {
    const alone = this.reference.entities.size === 0;
    join();
    const most = (LAG_MAX_NS * 100) / weight;
    const bounded = alone ? 0 : Math.min(Math.max(lagNs, -most), most);
    const lag = zeroLagNs(this.queue) - this.queue.vruntimeNs[which];
    expect(Math.abs(lag - bounded)).toBeLessThan(2 + Math.abs(bounded) * 1e-6);
  }

  check(): void {
    const { queue, reference } = this;
    const { numerator, denominator } = reference.zeroLag();
    expect(queue.nrMembers).toBe(reference.entities.size);
    expect(queue.size).toBe([...reference.entities.values()].filter(({ waiting }) => waiting).length);
    let owed = 0;
    for (const entity of reference.entities.values()) {
      expect(BigInt(queue.vruntimeNs[entity.slot])).toBe(entity.v);
      expect(BigInt(queue.deadlineNs[entity.slot])).toBe(entity.deadline);
      expect(queue.isEligible(slot(entity.slot))).toBe(entity.v * denominator <= numerator);
      owed += Number(entity.weight) * (zeroLagNs(queue) - Number(entity.v));
    }
    // Zero, but for the rounding of V itself.
    if (denominator > 0n) expect(Math.abs(owed)).toBeLessThan(Number(denominator));
  }
}

describe('EevdfQueue', () => {
  it('picks what a straightforward reference picks, and all lags together are zero, whatever happens', () => {
    fc.assert(
      fc.property(steps, (operations) => {
        const pair = new Pair();
        for (const step of operations) {
          pair.step(step);
          pair.check();
        }
        while (pair.queue.size > 0) pair.step({ kind: 'pick', slot: 0, weight: 1, amountNs: 0 });
      }),
      { numRuns: 300 },
    );
  });

  it('never owes a task more than the longest request, nor is owed more, on one CPU with tasks that stay', () => {
    const competitors = fc.array(
      fc.record({ weight: weights, requestNs: fc.integer({ min: 100_000, max: BASE_NS }) }),
      {
        minLength: 2,
        maxLength: SLOTS,
      },
    );
    fc.assert(
      fc.property(competitors, fc.integer(), (tasks, seed) => {
        const requestNs = Uint32Array.from({ length: SLOTS }, (_, index) => tasks[index]?.requestNs ?? 0);
        const queue = new EevdfQueue(SLOTS, new Float64Array(SLOTS), requestNs, LAG_MAX_NS);
        const longestNs = Math.max(...tasks.map((task) => task.requestNs));
        const random = randomNumbers(seed);
        const ranNs = tasks.map(() => 0);
        tasks.forEach(({ weight }, index) => {
          queue.join(slot(index), weight);
          queue.wait(slot(index));
        });
        let beyondNs = -Infinity;
        for (let turn = 0; turn < TURNS; turn++) {
          const which = queue.pick();
          // All of what is left of its request, or a part: then it goes on later, under the same deadline.
          const leftNs = ((queue.deadlineNs[which] - queue.vruntimeNs[which]) * tasks[which].weight) / 100;
          const spentNs = Math.ceil(leftNs / (1 + random.below(3) * random.below(3)));
          ranNs[which] += spentNs;
          queue.charge(which, spentNs);
          const zeroNs = zeroLagNs(queue);
          tasks.forEach(({ weight }, index) => {
            const lagNs = ((zeroNs - queue.vruntimeNs[index]) * weight) / 100;
            // A nanosecond of virtual time, to which things are rounded, is weight / 100 of execution.
            beyondNs = Math.max(beyondNs, Math.abs(lagNs) - longestNs - (4 * weight) / 100 - 1);
          });
          queue.wait(which);
        }
        expect(beyondNs).toBeLessThanOrEqual(0);
        const total = ranNs.reduce((a, b) => a + b);
        const sum = tasks.reduce((a, { weight }) => a + weight, 0);
        const worstNs = Math.max(
          ...tasks.map(({ weight }, index) => Math.abs(ranNs[index] - (total * weight) / sum)),
        );
        expect(worstNs).toBeLessThan(longestNs + TURNS * 100);
      }),
      { numRuns: 100 },
    );
  });

  it('lets a short request that is owed something go first, and one that ran ahead wait', () => {
    const requestNs = new Uint32Array(SLOTS).fill(BASE_NS);
    const lagNs = new Float64Array(SLOTS);
    const queue = new EevdfQueue(SLOTS, lagNs, requestNs, LAG_MAX_NS);
    requestNs[2] = 200_000;
    for (const which of [0, 1, 2]) queue.join(slot(which), 100);
    for (const which of [0, 1, 2]) queue.wait(slot(which));
    expect(queue.pick()).toBe(2);
    queue.charge(slot(2), 200_000);
    queue.wait(slot(2));
    // Its deadline is the earliest still, but it is ahead of the others until they have run.
    expect(queue.deadlineNs[2]).toBeLessThan(queue.deadlineNs[0]);
    expect(queue.isEligible(slot(2))).toBe(false);
    const long = queue.pick();
    expect([0, 1]).toContain(long);
    queue.charge(long, 400_000);
    queue.wait(long);
    expect(queue.pick()).toBe(2);
  });

  it('keeps the lag of a task while it sleeps, and its share of V does not depend on having slept', () => {
    const lagNs = new Float64Array(SLOTS);
    const queue = new EevdfQueue(SLOTS, lagNs, new Uint32Array(SLOTS).fill(BASE_NS), LAG_MAX_NS);
    for (const which of [0, 1, 2]) queue.join(slot(which), 100);
    queue.charge(slot(0), 900_000);
    const before = zeroLagNs(queue) - queue.vruntimeNs[0];
    queue.leave(slot(0));
    for (let turn = 0; turn < 1000; turn++) queue.charge(slot(1 + (turn & 1)), BASE_NS);
    queue.join(slot(0), 100);
    expect(zeroLagNs(queue) - queue.vruntimeNs[0]).toBeCloseTo(before, -1);
  });
});
