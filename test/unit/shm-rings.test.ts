import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { setUpSimMemory } from '../../src/kernel/sim-memory.js';
import { SimDecisionConsumer, SimTaskProducer } from '../../src/kernel/sim-rings.js';
import { type Arena, ArenaError, domainPlace, openArena } from '../../src/shm/arena.js';
import { DecisionRing } from '../../src/shm/decision-ring.js';
import { DECISION, DOMAIN, HEADER, LIMIT, SLOT } from '../../src/shm/layout.generated.js';
import { HeldTasks } from '../../src/shm/held-tasks.js';
import { slot } from '../../src/shm/slot.js';
import { TaskRing } from '../../src/shm/task-ring.js';

const RING = 16;

function memory(firstPosition = 0): Arena {
  return setUpSimMemory({
    domains: [{ cpus: [0, 1] }],
    nrSlots: 64,
    taskRingSize: RING,
    decisionRingSize: RING,
    firstPosition,
  });
}

/** Takes a batch for a policy that decides at once. */
function takeAll(ring: TaskRing, limit: number): number[] {
  const count = ring.committed(limit);
  const told = new Uint32Array(64);
  const listed = ring.take(count, new HeldTasks(64), told);
  ring.release(count);
  return Array.from(told.subarray(0, listed));
}

/** Makes held, as if it had been taken from a task ring, the wait `enq` of a slot. */
function hold(held: HeldTasks, which: number, enq: number, stamp: number): void {
  const arena = memory();
  const at = arena.slotsWord + which * SLOT.words;
  arena.words[at + SLOT.word.enq] = enq;
  arena.words[at + SLOT.word.generation] = stamp & 0xffff;
  new SimTaskProducer(arena, 0).push(slot(which), stamp >>> 16);
  const ring = new TaskRing(arena, domainPlace(arena, 0));
  ring.take(ring.committed(1), held, new Uint32Array(1));
}

/** Positions that wrap soon, past 2^31 and past 2^32, and ordinary ones. */
const firstPosition = fc.oneof(
  fc.constant(0),
  fc.integer({ min: -40, max: 40 }).map((offset) => (2 ** 32 + offset) >>> 0),
  fc.integer({ min: -40, max: 40 }).map((offset) => 2 ** 31 + offset),
);

describe('the task ring', () => {
  it('delivers every task once and in order, whatever the batches, and refuses when it is full', () => {
    const steps = fc.array(fc.record({ push: fc.nat(20), take: fc.nat(20) }), { maxLength: 60 });
    fc.assert(
      fc.property(firstPosition, steps, (first, turns) => {
        const arena = memory(first);
        const producer = new SimTaskProducer(arena, 0);
        const ring = new TaskRing(arena, domainPlace(arena, 0));
        const waiting: number[] = [];
        let next = 0;
        for (const { push, take } of turns) {
          for (let i = 0; i < push; i++) {
            const fits = waiting.length <= RING - 2;
            expect(producer.push(slot(next), 0)).toBe(fits);
            if (!fits) continue;
            // A task waits once: slots are many more than places in the ring, and none is passed over.
            waiting.push(next);
            next = (next + 1) % 64;
          }
          expect(takeAll(ring, take)).toEqual(waiting.splice(0, take));
        }
        expect(takeAll(ring, 64)).toEqual(waiting);
        expect(ring.committed(64)).toBe(0);
      }),
    );
  });

  it('waits for an entry that was handed out but not committed, and keeps order behind it', () => {
    fc.assert(
      fc.property(firstPosition, fc.integer({ min: 0, max: 5 }), (first, late) => {
        const arena = memory(first);
        const producer = new SimTaskProducer(arena, 0);
        const ring = new TaskRing(arena, domainPlace(arena, 0));
        const positions = Array.from({ length: 6 }, () => (producer.reserve(), producer.position));
        positions.forEach((position, index) => {
          producer.fill(position, slot(index), 0);
          if (index !== late) producer.commit(position);
        });
        expect(takeAll(ring, 64)).toEqual([0, 1, 2, 3, 4, 5].slice(0, late));
        expect(ring.ready()).toBe(false);
        producer.commit(positions[late]);
        expect(ring.ready()).toBe(true);
        expect(takeAll(ring, 64)).toEqual([0, 1, 2, 3, 4, 5].slice(late));
      }),
    );
  });

  it('carries enqueue count, generation and flags', () => {
    const arena = memory();
    const at = arena.slotsWord + 7 * SLOT.words;
    arena.words[at + SLOT.word.enq] = 0xfffffffe;
    arena.words[at + SLOT.word.generation] = 0xbeef;
    new SimTaskProducer(arena, 0).push(slot(7), 5);
    const ring = new TaskRing(arena, domainPlace(arena, 0));
    const held = new HeldTasks(64);
    expect(ring.committed(1)).toBe(1);
    expect(ring.take(1, held, new Uint32Array(1))).toBe(1);
    expect([held.count, held.holds(slot(7)), held.flags(slot(7))]).toEqual([1, true, 5]);
    const decisions = new DecisionRing(arena, domainPlace(arena, 0));
    decisions.open(1);
    expect(decisions.put(slot(7), held, new Float64Array(64), 0, 0, 0)).toBe(true);
    decisions.publish();
    const consumer = new SimDecisionConsumer(arena, 0);
    expect(consumer.take()).toBe(true);
    expect([consumer.slot, consumer.enq >>> 0, consumer.generation]).toEqual([7, 0xfffffffe, 0xbeef]);
  });

  it('tells of a task once, however often it is enqueued, and never of a slot out of range', () => {
    const arena = memory();
    const producer = new SimTaskProducer(arena, 0);
    const ring = new TaskRing(arena, domainPlace(arena, 0));
    const held = new HeldTasks(64);
    const told = new Uint32Array(64);
    for (const which of [5, 64, 5, 0xfffffff0, 6, 5]) producer.push(slot(which), 0);
    expect(Array.from(told.subarray(0, ring.take(ring.committed(64), held, told)))).toEqual([5, 6]);
    expect([held.count, held.holds(slot(5)), held.holds(slot(64)), held.holds(slot(-1))]).toEqual([
      2,
      true,
      false,
      false,
    ]);
  });
});

describe('the decision ring', () => {
  it('delivers every decision once, in order and unchanged, and knows its room', () => {
    const steps = fc.array(fc.record({ put: fc.nat(20), take: fc.nat(20) }), { maxLength: 60 });
    const key = fc.maxSafeInteger().map(Math.abs);
    fc.assert(
      fc.property(firstPosition, steps, key, (first, turns, baseKey) => {
        const arena = memory(first);
        const ring = new DecisionRing(arena, domainPlace(arena, 0));
        const consumer = new SimDecisionConsumer(arena, 0);
        const keyNs = new Float64Array(64);
        const held = new HeldTasks(64);
        const waiting: { id: number; key: number }[] = [];
        let id = 0;
        for (const { put, take } of turns) {
          const room = Math.min(ring.room(put), put);
          expect(room).toBe(Math.min(put, RING - waiting.length));
          ring.open(room);
          for (let i = 0; i < room; i++) {
            const which = slot(id % 64);
            hold(held, which, id, id & 0xffff);
            keyNs[which] = Math.floor(baseKey / (id + 1));
            expect(ring.put(which, held, keyNs, 100 + id, id & 1023, id & 1)).toBe(true);
            waiting.push({ id, key: keyNs[which] });
            id++;
          }
          hold(held, 0, id, 0);
          expect(ring.put(slot(0), held, keyNs, 0, 0, 0)).toBe(false);
          expect(consumer.take()).toBe(waiting.length > room && take >= 0 ? check(consumer, waiting) : false);
          ring.publish();
          for (let i = 0; i < take && waiting.length > 0; i++) {
            expect(consumer.take()).toBe(true);
            check(consumer, waiting);
          }
        }
      }),
    );
  });

  it('shows nothing before publish', () => {
    const arena = memory();
    const ring = new DecisionRing(arena, domainPlace(arena, 0));
    const consumer = new SimDecisionConsumer(arena, 0);
    const held = new HeldTasks(64);
    hold(held, 1, 1, 1);
    ring.open(ring.room(2));
    expect(ring.put(slot(1), held, new Float64Array(64), 0, LIMIT.CPU_ANY, 0)).toBe(true);
    expect(ring.put(slot(1), held, new Float64Array(64), 0, LIMIT.CPU_ANY, 0)).toBe(false);
    expect(consumer.take()).toBe(false);
    expect(ring.publish()).toBe(1);
    expect(ring.publish()).toBe(0);
    expect(consumer.take()).toBe(true);
    expect(consumer.cpu).toBe(LIMIT.CPU_ANY);
  });

  /** A ring with its consumer; `decide` publishes the slots given and tells how many there was room for. */
  function worker(arena: Arena) {
    const ring = new DecisionRing(arena, domainPlace(arena, 0));
    const consumer = new SimDecisionConsumer(arena, 0);
    const held = new HeldTasks(64);
    const put = (slots: readonly number[]): number => {
      // More than it can have: it looks at the real head.
      ring.open(Math.min(ring.room(RING + 1), slots.length));
      let done = 0;
      for (const which of slots) {
        hold(held, which, 1, 1);
        if (ring.put(slot(which), held, new Float64Array(64), 0, 0, 0)) done++;
      }
      return done;
    };
    const decide = (...slots: number[]): number => {
      const done = put(slots);
      expect(ring.publish()).toBe(done);
      return done;
    };
    const taken = (): number[] => {
      const slots: number[] = [];
      while (consumer.take()) slots.push(consumer.slot);
      return slots;
    };
    return { ring, put, decide, taken };
  }

  it('goes on where the head is when somebody spoiled that', () => {
    const arena = memory();
    const place = domainPlace(arena, 0);
    const { decide, taken } = worker(arena);
    for (const head of [1, 12345, 0x80000000, 0xffffff00]) {
      arena.words[place.domainWord + DOMAIN.word.decisionHead] = head;
      expect(decide(1, 2)).toBe(2);
      expect(taken()).toEqual([1, 2]);
    }
  });

  it('has no room for more of a batch in whose middle the head was spoiled', () => {
    const arena = memory();
    const place = domainPlace(arena, 0);
    const { ring, put, decide, taken } = worker(arena);
    put([1, 2]);
    arena.words[place.domainWord + DOMAIN.word.decisionHead] = 77;
    expect(ring.room(RING)).toBe(0);
    expect(ring.publish()).toBe(2);
    expect(decide(3)).toBe(1);
    expect(taken()).toEqual([3]);
  });

  it('puts a spoiled sequence number right when there is no room', () => {
    const arena = memory();
    const place = domainPlace(arena, 0);
    const { decide, taken } = worker(arena);
    const slots = Array.from({ length: RING }, (_, which) => which);
    expect(decide(...slots)).toBe(RING);
    for (const spoiled of [0, 3]) {
      arena.words[place.decisionRingWord + spoiled * DECISION.words + DECISION.word.seq] = 99;
    }
    expect(taken()).toEqual([]);
    expect(decide(60)).toBe(0);
    expect(taken()).toEqual([0, 1, 2]);
    expect(decide(61)).toBe(1);
    expect(taken()).toEqual([...slots.slice(3), 61]);
  });

  it('begins behind what a predecessor published, and never shows what it did not publish', () => {
    fc.assert(
      fc.property(firstPosition, fc.nat(RING), fc.nat(RING), fc.nat(RING), (first, published, lost, own) => {
        const arena = memory(first);
        const old = worker(arena);
        const slots = Array.from({ length: RING }, (_, which) => which);
        expect(old.decide(...slots.slice(0, published))).toBe(published);
        old.put(slots.slice(0, lost).map((which) => which + 20));
        const follower = worker(arena);
        const done = follower.decide(...slots.slice(0, own).map((which) => which + 40));
        expect(done).toBe(Math.min(own, RING - published));
        expect(follower.taken()).toEqual([
          ...slots.slice(0, published),
          ...slots.slice(0, done).map((which) => which + 40),
        ]);
      }),
    );
  });
});

function check(consumer: SimDecisionConsumer, waiting: { id: number; key: number }[]): true {
  const expected = waiting.shift()!;
  expect({
    slot: consumer.slot,
    enq: consumer.enq,
    generation: consumer.generation,
    cpu: consumer.cpu,
    sliceUs: consumer.sliceUs,
    key: consumer.key[0],
    flags: consumer.flags,
  }).toEqual({
    slot: expected.id % 64,
    enq: expected.id,
    generation: expected.id & 0xffff,
    cpu: expected.id & 1023,
    sliceUs: 100 + expected.id,
    key: expected.key,
    flags: expected.id & 1,
  });
  return true;
}

describe('opening the memory', () => {
  it('refuses memory that is not set up, or whose header points outside', () => {
    expect(() => openArena(new ArrayBuffer(1 << 16))).toThrow(ArenaError);
    const outside = memory().words;
    outside[HEADER.word.slotsOff] = outside.length * 4;
    expect(() => openArena(outside.buffer)).toThrow(/slot table/);
    const ring = memory();
    ring.words[domainPlace(ring, 0).domainWord + DOMAIN.word.taskRingSize] = 12;
    expect(() => domainPlace(ring, 0)).toThrow(/power of two/);
    expect(() => domainPlace(memory(), 1)).toThrow(/no domain 1/);
  });
});
