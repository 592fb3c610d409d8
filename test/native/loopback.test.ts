import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { OWNER, WORKER_STAT } from '../../src/shm/layout.generated.js';
import { readTopology } from '../../src/topology/read.js';
import { BATCH_TASKS } from '../../src/worker/domain-loop.js';
import {
  type Drained,
  type Fed,
  Loopback,
  NOTHING_DRAINED,
  type Range,
  slotsOf,
  sumOf,
  twoCpus,
  whyNoLoopback,
} from './loopback.js';

const missing = whyNoLoopback();
const PER_CALL = 4096;
const cpus = missing === undefined ? twoCpus() : [0, 0];
/** Two feeders of one domain, each with tasks of its own; few enough never to fill the ring. */
const left: Range = { domain: 0, firstSlot: 0, nrSlots: 1500 };
const right: Range = { domain: 0, firstSlot: 1500, nrSlots: 1500 };

let loopback: Loopback;

const opened = (spec: string, ...ranges: Range[]): Loopback => {
  loopback = new Loopback(spec);
  for (const range of ranges) loopback.prepare(range);
  return loopback;
};

beforeEach((context) => {
  if (missing !== undefined) context.skip(missing);
});
afterEach(async () => {
  if (missing === undefined) await loopback.close();
});

/** Feeds from a CPU until so many tasks were pushed. */
async function feedUntil(cpu: number, range: Range, tasks: number): Promise<Fed> {
  const sum = { pushed: 0, ringFull: 0 };
  while (sum.pushed < tasks) {
    const fed = await loopback.feedOn(cpu, range, Math.min(PER_CALL, tasks - sum.pushed));
    sum.pushed += fed.pushed;
    sum.ringFull += fed.ringFull;
  }
  return sum;
}

/**
 * Few enough tasks never find the ring full; but for a feeder that loses its CPU between its looks at the head and at
 * the tail, which then lie too far apart. The task is refused and fed again.
 */
function expectRoom(fed: readonly Fed[]): void {
  for (const { ringFull } of fed) expect(ringFull).toBeLessThan(10);
}

/** Drains from a CPU until `isOver` says that nothing more can come. */
async function drainUntil(cpu: number, domain: number, isOver: () => boolean): Promise<Drained> {
  const all: Drained[] = [];
  for (let last = false; !last;) {
    // Asked first: what was there when it became true is still taken.
    last = isOver();
    all.push(await loopback.drainOn(cpu, domain, PER_CALL));
  }
  return sumOf(all);
}

/** Drains until nothing of these ranges waits any more, within a bound. */
async function drainAll(domain: number, ...ranges: Range[]): Promise<Drained> {
  const endMs = performance.now() + 20_000;
  const waiting = (): number => ranges.reduce((sum, range) => sum + loopback.asked(range), 0);
  return drainUntil(cpus[0], domain, () => waiting() === 0 || performance.now() > endMs);
}

describe('tasks from several CPUs at once to a worker and back', () => {
  test('a million come back each exactly once, from two feeders to two drainers', async () => {
    opened('one', left, right);
    const worker = await loopback.startWorker(0);
    let isFed = false;
    const isOver = (): boolean => isFed && loopback.asked(left) + loopback.asked(right) === 0;
    const draining = cpus.map((cpu) => drainUntil(cpu, 0, isOver));
    const fed = await Promise.all([
      feedUntil(cpus[0], left, 500_000),
      feedUntil(cpus[1], right, 500_000),
    ]).finally(() => (isFed = true));
    const drained = sumOf(await Promise.all(draining));

    expect(fed.map(({ pushed }) => pushed)).toEqual([500_000, 500_000]);
    expectRoom(fed);
    expect(drained).toEqual({ ...NOTHING_DRAINED, drained: 1_000_000 });
    await worker.stop();
    expect(loopback.statistic(0, WORKER_STAT.TAKEN)).toBe(1_000_000);
    expect(loopback.statistic(0, WORKER_STAT.PUBLISHED)).toBe(1_000_000);
    expect(loopback.statistic(0, WORKER_STAT.POLICY_ERRORS)).toBe(0);
    // A slot is enqueued again only after its decision was taken, so this leaves no room for one lost and one twice.
    for (const [index, range] of [left, right].entries()) {
      expect(loopback.slotsWithout(range, 'owner', () => OWNER.KERNEL)).toEqual([]);
      const enqueues = slotsOf(range).reduce((sum, slot) => sum + loopback.slotWord(slot, 'enq'), 0);
      expect(enqueues).toBe(500_000 + fed[index].ringFull);
    }
  });

  test('stay in their domain, each slot decided as often as it was enqueued', async () => {
    const [one, two] = cpus;
    const spec = one === two ? 'one' : `${one};${restOf(one)}`;
    const nrDomains = one === two ? 1 : 2;
    const ranges = [left, { ...right, domain: 1 }].slice(0, nrDomains);
    opened(spec, ...ranges);
    for (const { domain } of ranges) await loopback.startWorker(domain, 'fifo');
    const streams = ranges.map(async (range, index) => {
      let isFed = false;
      const draining = drainUntil(cpus[1 - index], range.domain, () => isFed && loopback.asked(range) === 0);
      const fed = await feedUntil(cpus[index], range, 200_000).finally(() => (isFed = true));
      return { fed, drained: await draining };
    });
    for (const { fed, drained } of await Promise.all(streams)) {
      expect(fed.pushed).toBe(200_000);
      expectRoom([fed]);
      expect(drained).toEqual({ ...NOTHING_DRAINED, drained: 200_000 });
    }
    for (const range of ranges) {
      expect(loopback.slotsWithout(range, 'wakes', (slot) => loopback.slotWord(slot, 'enq'))).toEqual([]);
      expect(loopback.slotsWithout(range, 'domain', () => range.domain)).toEqual([]);
      expect(loopback.domainWord(range.domain, 'taskTail')).toBe(200_000);
    }
  });
});

describe('a full ring', () => {
  const many: Range = { domain: 0, firstSlot: 0, nrSlots: 12_000 };

  test('of tasks refuses what has no room, counted, and loses nothing once the worker comes', async () => {
    opened('one', many);
    const size = loopback.domainWord(0, 'taskRingSize');
    const margin = Math.min(loopback.arena.nrCpus, size / 2);
    const first = loopback.feed(many, many.nrSlots);
    expect(first).toEqual({ pushed: size - margin + 1, ringFull: many.nrSlots - (size - margin + 1) });
    expect(loopback.asked(many)).toBe(first.pushed);
    expect(loopback.feed(many, many.nrSlots).pushed).toBe(0);

    await loopback.startWorker(0);
    let pushed = first.pushed;
    let drained = (await drainAll(0, many)).drained;
    expect(drained).toBe(pushed);
    while (pushed < 100_000) {
      pushed += loopback.feed(many, many.nrSlots).pushed;
      drained += (await drainAll(0, many)).drained;
    }
    expect(drained).toBe(pushed);
    expect(loopback.asked(many)).toBe(0);
  });

  test('of tasks stays within its bounds with a feeder on each CPU', async () => {
    const halves: Range[] = [
      { ...many, nrSlots: 6000 },
      { ...many, firstSlot: 6000, nrSlots: 6000 },
    ];
    opened('one', ...halves);
    const fed = await Promise.all(halves.map((half, index) => loopback.feedOn(cpus[index], half, 6000)));
    const size = loopback.domainWord(0, 'taskRingSize');
    const pushed = fed[0].pushed + fed[1].pushed;
    expect(pushed + fed[0].ringFull + fed[1].ringFull).toBe(12_000);
    expect(loopback.domainWord(0, 'taskTail')).toBe(pushed);
    expect(pushed).toBeLessThanOrEqual(size);
    expect(pushed).toBeGreaterThan(size - Math.min(loopback.arena.nrCpus, size / 2));

    await loopback.startWorker(0);
    expect((await drainAll(0, ...halves)).drained).toBe(pushed);
  });

  test('of decisions makes the worker hold what it took, until there is room', async () => {
    opened('one', many);
    await loopback.startWorker(0);
    const size = loopback.domainWord(0, 'decisionRingSize');
    const held = (): number =>
      loopback.statistic(0, WORKER_STAT.TAKEN) - loopback.statistic(0, WORKER_STAT.PUBLISHED);
    let pushed = 0;
    // By and by, so that the worker has taken one part before the next comes and the task ring never fills.
    for (let firstSlot = 0; firstSlot < size + 2000; firstSlot += 1000) {
      const fed = loopback.feed({ ...many, firstSlot, nrSlots: 1000 }, 1000);
      expect(fed).toEqual({ pushed: 1000, ringFull: 0 });
      pushed += fed.pushed;
      await expect.poll(() => loopback.statistic(0, WORKER_STAT.TAKEN), { timeout: 20_000 }).toBe(pushed);
    }
    await expect
      .poll(() => loopback.statistic(0, WORKER_STAT.DECISION_RING_FULL), { timeout: 20_000 })
      .toBeGreaterThan(0);
    expect(loopback.statistic(0, WORKER_STAT.PUBLISHED)).toBe(size);
    expect(await drainAll(0, many)).toEqual({ ...NOTHING_DRAINED, drained: pushed });
    await expect.poll(held, { timeout: 20_000 }).toBe(0);
  });
});

describe('a worker that ends while it is mapped', () => {
  test('leaves the memory whole, and the next one takes the ring over without losing a task', async () => {
    opened('one', left, right);
    const drained: Drained[] = [];
    let pushed = 0;
    const pass = async (): Promise<void> => {
      pushed += loopback.feed(left, PER_CALL).pushed + loopback.feed(right, PER_CALL).pushed;
      drained.push(await loopback.drainOn(cpus[1], 0, PER_CALL));
    };
    for (let life = 0; life < 5; life++) {
      const worker = await loopback.startWorker(0, life % 2 === 0 ? 'vtime' : 'fifo');
      const until = loopback.statistic(0, WORKER_STAT.PUBLISHED) + 20_000;
      while (loopback.statistic(0, WORKER_STAT.PUBLISHED) < until) await pass();
      const exit = worker.thread.terminate();
      await pass();
      await exit;
      const progress = loopback.domainWord(0, 'progress');
      await pass();
      expect(loopback.domainWord(0, 'progress')).toBe(progress);
      expect(loopback.asked(left) + loopback.asked(right)).toBe(3000);
    }

    await loopback.startWorker(0);
    drained.push(await drainAll(0, left, right));
    const sum = sumOf(drained);
    expect(sum.drained).toBe(pushed);
    expect({ ...sum, drained: 0, stale: 0 }).toEqual(NOTHING_DRAINED);
    // Killed between publishing and giving its places back, a worker leaves one batch to be decided again.
    expect(sum.stale).toBeLessThanOrEqual(5 * BATCH_TASKS);
    expect(loopback.slotsWithout(left, 'owner', () => OWNER.KERNEL)).toEqual([]);
    expect(loopback.slotsWithout(right, 'owner', () => OWNER.KERNEL)).toEqual([]);
  });
});

/** Every CPU of the machine but one, as a domain spec has it. */
function restOf(cpu: number): string {
  return [...readTopology().cpus.keys()].filter((other) => other !== cpu).join(',');
}
