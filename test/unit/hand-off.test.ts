/** Tasks handed from domain to domain: each is in one place at a time, none is lost, whoever is quicker. */
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { HandOff } from '../../src/handoff/hand-off.js';
import { Inbox, INBOX_SIZE, inboxBytes } from '../../src/handoff/inbox.js';
import { setUpSimMemory } from '../../src/kernel/sim-memory.js';
import { definePolicy, type PolicyDefinition } from '../../src/policy/policy.js';
import { domainPlace, readU64, writeU64 } from '../../src/shm/arena.js';
import { HeldTasks, NOTE } from '../../src/shm/held-tasks.js';
import { DECISION_FLAG, DOMAIN, LIMIT, SLOT } from '../../src/shm/layout.generated.js';
import { type Slot, slot } from '../../src/shm/slot.js';
import { loopsWith, MS, SECOND } from './sim-loops.js';

/** Where src/handoff/inbox.ts has things. */
const TAIL = 0;
const HEAD = 32;
const HEADER_WORDS = 64;
const ENTRY_WORDS = 4;
const FIRST_POSITIONS = [0, 2 ** 31 - 700, -700, -INBOX_SIZE];

/** Every third place was the first of a batch. */
const seqOf = (position: number): number => (position % 3 === 0 ? position + 1 : ~(position + 1)) | 0;

/** An inbox that has been in use until its positions came so far. */
function inboxFrom(position: number, nrDomains = 1): ArrayBuffer {
  const memory = new ArrayBuffer(inboxBytes(nrDomains));
  for (let domain = 0; domain < nrDomains; domain++) {
    const bytes = inboxBytes(1);
    const words = new Int32Array(memory, domain * bytes, bytes / 4);
    words[TAIL] = position;
    words[HEAD] = position;
    for (let lap = position - INBOX_SIZE; lap < position; lap++) {
      words[HEADER_WORDS + (lap & (INBOX_SIZE - 1)) * ENTRY_WORDS] = seqOf(lap);
    }
  }
  return memory;
}

/** What a lag in an inbox is a multiple of. */
const LAG_STEP_NS = 256;
/** Any generation and any flags. */
const stampOf = (number: number): number => (number * 0x9e3779b1) & 0xffffff;

describe('an inbox', () => {
  it('gives what was put, once and in order, wherever its positions wrap, and refuses what has no room', () => {
    /** How many are sent, and by whom; or, below 0, taken at most. */
    const steps = fc.array(fc.tuple(fc.nat(2), fc.integer({ min: -400, max: 400 })), { maxLength: 60 });
    fc.assert(
      fc.property(fc.constantFrom(...FIRST_POSITIONS), steps, (position, operations) => {
        const memory = inboxFrom(position);
        const senders = [0, 1, 2].map(() => new Inbox(memory, 0));
        const receiver = new Inbox(memory, 0);
        const model: number[] = [];
        let room = INBOX_SIZE;
        let next = 0;
        for (const [who, count] of operations) {
          if (count >= 0) {
            const fits = count <= room;
            expect(senders[who].room(INBOX_SIZE + 1)).toBe(room);
            expect(senders[who].reserve(count)).toBe(fits);
            if (!fits) continue;
            room -= count;
            for (let index = 0; index < count; index++) {
              senders[who].put(next & 0xffff, next + 1, stampOf(next), -LAG_STEP_NS * next);
              model.push(next++);
            }
            senders[who].commit();
          } else {
            let taken = 0;
            while (taken < -count && receiver.take()) {
              const expected = model.shift()!;
              const { slot: which, enq, stamp, lagNs } = receiver;
              expect([which, enq, stamp, lagNs]).toEqual([
                expected & 0xffff,
                expected + 1,
                stampOf(expected),
                expected === 0 ? 0 : -LAG_STEP_NS * expected,
              ]);
              taken++;
            }
            expect(taken === -count || model.length === 0).toBe(true);
            receiver.release();
            room += taken;
          }
          expect(receiver.isEmpty()).toBe(model.length === 0);
        }
      }),
    );
  });

  it('holds back what was put after a place that is reserved and not yet filled', () => {
    const memory = inboxFrom(0);
    const [slow, quick, receiver] = [0, 1, 2].map(() => new Inbox(memory, 0));
    expect(slow.reserve(2)).toBe(true);
    slow.put(1, 0, 0, 0);
    expect(quick.reserve(1)).toBe(true);
    quick.put(3, 0, 0, 0);
    quick.commit();
    expect([receiver.take(), receiver.isEmpty()]).toEqual([false, true]);
    slow.put(2, 0, 0, 0);
    expect([receiver.take(), receiver.isEmpty()]).toEqual([false, true]);
    slow.commit();
    expect([receiver.take(), receiver.slot]).toEqual([true, 1]);
    expect([receiver.take(), receiver.slot, receiver.take(), receiver.slot]).toEqual([true, 2, true, 3]);
  });

  it('is taken up where it was left, by a receiver that is started again', () => {
    const memory = inboxFrom(2 ** 31 - 2);
    const sender = new Inbox(memory, 0);
    sender.reserve(4);
    for (const which of [1, 2, 3, 4]) sender.put(which, 0, 0, 0);
    sender.commit();
    const first = new Inbox(memory, 0);
    expect([first.take(), first.take()]).toEqual([true, true]);
    first.release();
    const second = new Inbox(memory, 0);
    expect([second.take(), second.slot]).toEqual([true, 3]);
  });
});

const SLOTS = 400;

/** Domains of one CPU each, with their workers' ends and nothing else. */
class Workers {
  readonly arena = setUpSimMemory({
    domains: [0, 1, 2].map((cpu) => ({ cpus: [cpu] })),
    nrSlots: SLOTS,
    taskRingSize: 16,
    decisionRingSize: 16,
  });
  readonly held = [0, 1, 2].map(() => new HeldTasks(SLOTS));
  readonly handOffs: HandOff[];
  readonly woken: number[] = [];
  readonly back = new Uint32Array(SLOTS);
  readonly told = new Uint32Array(SLOTS);

  constructor(position: number) {
    const memory = inboxFrom(position, 3);
    this.handOffs = this.held.map((held, domain) => new HandOff(this.arena, domain, held, memory));
    for (let index = 0; index < SLOTS; index++) {
      this.arena.words[this.arena.slotsWord + index * SLOT.words + SLOT.word.allowedDomains] = 0b111;
    }
  }

  hold(domain: number, which: number, enq: number, generation: number, flags: number): void {
    const { notes } = this.held[domain];
    notes[which * 2] = enq;
    notes[which * 2 + 1] = generation | (flags << 16) | NOTE.held;
    this.held[domain].count++;
  }

  /** What a loop does after a batch; returns what came back. */
  send(domain: number): number[] {
    const request = (to: number, _cpu: number, flags: number): boolean => {
      expect(flags).toBe(DECISION_FLAG.WAKE_WORKER);
      this.woken.push(to);
      return true;
    };
    this.held[domain].count -= this.handOffs[domain].send({ request }, this.back);
    return Array.from(this.back.subarray(0, this.handOffs[domain].returned));
  }

  receive(domain: number, limit: number): number[] {
    return Array.from(this.told.subarray(0, this.handOffs[domain].receive(limit, this.told)));
  }

  word(domain: number, name: keyof typeof DOMAIN.word): number {
    return domainPlace(this.arena, domain).domainWord + DOMAIN.word[name];
  }

  vtimeWord(which: number): number {
    return this.arena.slotsWord + which * SLOT.words + SLOT.word.vtimeNs;
  }
}

describe('HandOff', () => {
  it('has every task in one place, with the name of its wait, whatever is sent by whom and received when', () => {
    const steps = fc.array(
      fc.record({
        domain: fc.nat(2),
        to: fc.integer({ min: -1, max: 3 }),
        kind: fc.constantFrom('offer', 'offer', 'offer', 'send', 'receive'),
        first: fc.nat(SLOTS - 1),
        count: fc.integer({ min: 1, max: 200 }),
      }),
      { maxLength: 120 },
    );
    fc.assert(
      fc.property(fc.constantFrom(...FIRST_POSITIONS), steps, (position, operations) => {
        const workers = new Workers(position);
        // A task is with a domain, offered by one, or in an inbox.
        type Where =
          { kind: 'held' | 'inbox'; domain: number } | { kind: 'offered'; domain: number; to: number };
        const where = Array.from({ length: SLOTS }, (_, index): Where => ({
          kind: 'held',
          domain: index % 3,
        }));
        where.forEach(({ domain }, index) =>
          workers.hold(domain, index, index * 3, index & 0xffff, index & 15),
        );
        for (const { domain, to, kind, first, count } of operations) {
          if (kind === 'offer') {
            for (let index = 0; index < count; index++) {
              const which = (first + index) % SLOTS;
              const at = where[which];
              const may = at.kind === 'held' && at.domain === domain && to >= 0 && to < 3 && to !== domain;
              const done = workers.handOffs[domain].offer(slot(which), to);
              if (done && !may) expect(`slot ${which} sent from domain ${domain} to ${to}`).toBe('refused');
              if (done) where[which] = { kind: 'offered', domain, to };
            }
          } else if (kind === 'send') {
            const back = workers.send(domain);
            where.forEach((at, index) => {
              if (at.kind !== 'offered' || at.domain !== domain) return;
              where[index] = back.includes(index)
                ? { kind: 'held', domain }
                : { kind: 'inbox', domain: at.to };
            });
          } else {
            const got = workers.receive(domain, count);
            expect(new Set(got).size).toBe(got.length);
            for (const which of got) {
              expect(where[which]).toEqual({ kind: 'inbox', domain });
              where[which] = { kind: 'held', domain };
            }
          }
          workers.held.forEach((held, id) => {
            const holds = where.map((at) => at.kind === 'held' && at.domain === id);
            expect(holds.findIndex((is, index) => held.holds(slot(index)) !== is)).toBe(-1);
            const offered = where.filter((at) => at.kind === 'offered' && at.domain === id).length;
            expect(held.count).toBe(holds.filter(Boolean).length + offered);
            expect(workers.handOffs[id].count).toBe(offered);
          });
        }
        for (const domain of [0, 1, 2]) workers.send(domain);
        for (const domain of [0, 1, 2]) workers.receive(domain, SLOTS);
        for (let index = 0; index < SLOTS; index++) {
          const holders = workers.held.filter((held) => held.holds(slot(index)));
          expect(holders).toHaveLength(1);
          const [held] = holders;
          expect([held.notes[index * 2], held.generation(slot(index)), held.flags(slot(index))]).toEqual([
            index * 3,
            index & 0xffff,
            index & 15,
          ]);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('takes no more than the inbox has room for, and the task stays where it is', () => {
    const workers = new Workers(-700);
    let sent = 0;
    for (let lap = 0; lap < 20; lap++) {
      const which = lap * 20;
      for (let index = 0; index < 20; index++) workers.hold(0, which + index, 1, 1, 0);
    }
    // Each is taken back to be sent again: the inbox does not know.
    for (let round = 0; round < 10; round++) {
      for (let index = 0; index < SLOTS; index++) {
        if (workers.handOffs[0].offer(slot(index), 1)) sent++;
        if (workers.handOffs[0].count === 128) break;
      }
      expect(workers.send(0)).toEqual([]);
      for (let index = 0; index < SLOTS; index++) workers.held[0].notes[index * 2 + 1] |= NOTE.held;
    }
    expect(sent).toBe(INBOX_SIZE);
    expect(workers.handOffs[0].offer(slot(0), 1)).toBe(false);
    expect(workers.held[0].holds(slot(0))).toBe(true);
    expect(workers.handOffs[0].offer(slot(0), 2)).toBe(true);
  });

  it('gives back what it had offered when another sender was quicker', () => {
    const workers = new Workers(0);
    for (let index = 0; index < 128; index++) workers.hold(0, index, 1, 1, 0);
    for (let index = 0; index < 100; index++) expect(workers.handOffs[0].offer(slot(index), 2)).toBe(true);
    const fill = new Inbox(inboxOf(workers), 2);
    expect(fill.reserve(INBOX_SIZE - 50)).toBe(true);
    expect(workers.send(0)).toEqual(Array.from({ length: 100 }, (_, index) => index));
    expect(workers.held[0].count).toBe(128);
    expect(workers.held[0].holds(slot(99))).toBe(true);
    expect(workers.woken).toEqual([]);
  });

  it('refuses a domain on which the task may not run', () => {
    const workers = new Workers(0);
    workers.hold(0, 5, 1, 1, 0);
    workers.arena.words[workers.arena.slotsWord + 5 * SLOT.words + SLOT.word.allowedDomains] = 0b101;
    expect(workers.handOffs[0].offer(slot(5), 1)).toBe(false);
    expect(workers.handOffs[0].offer(slot(5), 2)).toBe(true);
  });

  it('keeps the lag, in the clock of the new domain, and wakes a worker that is parked', () => {
    const workers = new Workers(0);
    const { words } = workers.arena;
    writeU64(words, workers.word(0, 'clockNs'), 7 * SECOND);
    writeU64(words, workers.word(1, 'clockNs'), 900 * SECOND);
    words[workers.word(1, 'parked')] = 1;
    [7 * SECOND - 3 * MS, 7 * SECOND + 5 * MS, 2 * SECOND].forEach((vtimeNs, index) => {
      workers.hold(0, index, 1, 1, 0);
      writeU64(words, workers.vtimeWord(index), vtimeNs);
      workers.handOffs[0].offer(slot(index), 1);
    });
    workers.send(0);
    expect(workers.woken).toEqual([1]);
    expect(words[workers.word(1, 'wakeRequest')]).toBe(1);
    expect(workers.receive(1, 128)).toEqual([0, 1, 2]);
    const lags = [0, 1, 2].map((index) => readU64(words, workers.vtimeWord(index)) - 900 * SECOND);
    // In whole steps, the earlier one.
    const step = (ns: number): number => Math.floor(ns / LAG_STEP_NS) * LAG_STEP_NS;
    expect(lags).toEqual([step(-3 * MS), step(5 * MS), -(2 ** 31)]);
  });
});

const inboxOf = ({ handOffs }: Workers): ArrayBuffer =>
  (handOffs[0] as unknown as { inboxes: { words: Int32Array }[] }).inboxes[0].words.buffer as ArrayBuffer;

/** Hands every n-th task to the next domain, and decides the others. */
const sending = (every: number): PolicyDefinition =>
  definePolicy({
    name: 'sending',
    summary: 'hands tasks round',
    standing: 'none',
    state: { inits: 'u32', moves: 'u32' },
    create({ decisions, domain, neighbours, clock, state }) {
      const held: Slot[] = [];
      let turn = 0;
      return {
        taskInit: (which) => void (state.inits[which] += 1),
        enqueue: (which) => void held.push(which),
        dispatch(room) {
          for (const which of held.splice(0, room)) {
            const to = (domain + 1) % neighbours.nrDomains;
            if (++turn % every === 0 && decisions.handOff(which, to)) state.moves[which]++;
            else {
              decisions.keyNs[which] = clock.clockNs();
              decisions.publish(which, 1000, LIMIT.CPU_ANY, 0);
            }
          }
        },
      };
    },
  });

describe('hand-off between loops', () => {
  it.each([2, 3, 7])('loses nothing and does nothing twice, one in %i handed on', (every) => {
    const { kernel } = loopsWith(sending(every), { domains: [[0], [1], [2, 3]] });
    const tasks = Array.from({ length: 24 }, (_, index) =>
      kernel.spawn({ runNs: (1 + (index % 5)) * MS, sleepNs: (index % 3) * MS, domain: index % 3 }),
    );
    kernel.run(SECOND);
    const runs = tasks.map((task) => task.runs);
    kernel.run(3 * SECOND);
    tasks.forEach((task, index) => {
      expect(task.runs).toBeGreaterThan(runs[index] + 50);
    });
    const counters = kernel.domains.map((domain) => domain.counters());
    for (const { stale, dead_slot, foreign, ring_full } of counters) {
      expect([stale, dead_slot, foreign, ring_full]).toEqual([0, 0, 0, 0]);
    }
    const sum = (name: 'asked' | 'decided' | 'handed'): number =>
      counters.reduce((all, of) => all + of[name], 0);
    expect(sum('decided')).toBe(sum('asked'));
    expect(sum('handed')).toBeGreaterThan(sum('asked') / every / 2);
  });

  it('has a task that may not run there stay', () => {
    const { kernel } = loopsWith(sending(1), { domains: [[0], [1]] });
    const pinned = kernel.spawn({ runNs: MS, sleepNs: MS, allowedCpus: [0] });
    const free = kernel.spawn({ runNs: MS, sleepNs: MS });
    // Both loops hand on all they may, so only what is refused is ever decided: a task that is free goes round for ever.
    expect(() => {
      kernel.run(100 * MS);
    }).toThrow('not settle');
    expect(pinned.domain).toBe(0);
    expect(free.runs).toBe(0);
  });

  it('goes on when tasks die while they are on their way', () => {
    const { kernel } = loopsWith(sending(2), { domains: [[0], [1]], nrSlots: 32 });
    for (let round = 0; round < 200; round++) {
      const tasks = Array.from({ length: 6 }, (_, index) =>
        kernel.spawn({ runNs: 3 * MS, domain: index & 1 }),
      );
      kernel.run((round * 5 + 4) * MS);
      for (const task of tasks) kernel.kill(task);
    }
    const last = kernel.spawn({ runNs: MS });
    kernel.run(3 * SECOND);
    expect(last.exited).toBe(true);
    expect(last.runs).toBeGreaterThan(0);
  });
});

describe('an inbox', () => {
  it('passes over the places of a sender that died before it filled them, after a second', () => {
    const memory = new ArrayBuffer(inboxBytes(1));
    const [dead, sender, receiver] = [0, 1, 2].map(() => new Inbox(memory, 0));
    const clock = vi.spyOn(performance, 'now');
    try {
      clock.mockReturnValue(1000);
      expect(dead.reserve(2)).toBe(true);
      expect(sender.reserve(1)).toBe(true);
      sender.put(7, 1, 1, 0);
      sender.commit();
      expect([receiver.isEmpty(), receiver.take()]).toEqual([true, false]);
      clock.mockReturnValue(1999);
      expect(receiver.isEmpty()).toBe(true);
      for (const nowMs of [2000, 2001, 3001]) {
        clock.mockReturnValue(nowMs);
        receiver.isEmpty();
      }
      expect([receiver.isEmpty(), receiver.take(), receiver.slot]).toEqual([false, true, 7]);
      receiver.release();
      expect([receiver.isEmpty(), receiver.room(INBOX_SIZE)]).toEqual([true, INBOX_SIZE]);
    } finally {
      clock.mockRestore();
    }
  });
});
