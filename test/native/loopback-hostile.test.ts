/** A decision ring full of lies: what the kernel side does with each entry is told beforehand, by a model in BigInt. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { domainPlace, readU64 } from '../../src/shm/arena.js';
import { DECISION, DOMAIN, LIMIT, OWNER, SLOT } from '../../src/shm/layout.generated.js';
import { type Drained, Loopback, type Range, sumOf, twoCpus, whyNoLoopback } from './loopback.js';
import { type Random, randomNumbers } from './random.js';

const missing = whyNoLoopback();
const tasks: Range = { domain: 0, firstSlot: 0, nrSlots: 2000 };
const ROUNDS = 400;
const TEN_SECONDS_NS = 10_000_000_000n;

let loopback: Loopback;
let words: Uint32Array;
let random: Random;

beforeEach((context) => {
  if (missing !== undefined) return context.skip(missing);
  random = randomNumbers(20_260_419);
  loopback = new Loopback('one');
  words = loopback.arena.words;
  loopback.prepare(tasks);
});
afterEach(async () => {
  if (missing === undefined) await loopback.close();
});

type Entry = Record<'slot' | 'enq' | 'generation' | 'cpu' | 'sliceUs' | 'keyLo' | 'keyHi' | 'flags', number>;

/** One decision as the kernel side sees it: valid, or refused with a reason, and what was corrected. */
class Model {
  private readonly decided = new Set<number>();
  readonly sum = { drained: 0, stale: 0, deadSlot: 0, badCpu: 0, sliceClamped: 0, keyClamped: 0 };

  take(entry: Entry): void {
    const verdict = this.verdictOn(entry);
    this.sum[verdict]++;
    if (verdict !== 'drained') return;
    this.decided.add(entry.slot);
    const { cpu, sliceUs, keyHi, keyLo } = entry;
    if (cpu !== LIMIT.CPU_ANY && cpu >= loopback.arena.nrCpus) this.sum.badCpu++;
    if (sliceUs !== 0 && (sliceUs < LIMIT.SLICE_MIN_US || sliceUs > LIMIT.SLICE_MAX_US)) this.sum.sliceClamped++;
    const clock = BigInt(readU64(words, loopback.domainIndex(0, 'clockNs')));
    const ahead = BigInt.asIntN(64, ((BigInt(keyHi) << 32n) | BigInt(keyLo)) - clock);
    if (ahead > TEN_SECONDS_NS || ahead < -TEN_SECONDS_NS) this.sum.keyClamped++;
  }

  private verdictOn({ slot, enq, generation }: Entry): 'drained' | 'stale' | 'deadSlot' {
    if (slot >= loopback.nrSlots) return 'deadSlot';
    const owner = loopback.slotWord(slot, 'owner');
    if (owner === OWNER.FREE || (loopback.slotWord(slot, 'generation') & 0xffff) !== generation) return 'deadSlot';
    const waits = owner === OWNER.ASKED && !this.decided.has(slot);
    return waits && loopback.slotWord(slot, 'enq') === enq ? 'drained' : 'stale';
  }
}

/** An honest answer to a task that waits. */
function honest(slot: number): Entry {
  const clock = readU64(words, loopback.domainIndex(0, 'clockNs'));
  return {
    slot,
    enq: loopback.slotWord(slot, 'enq'),
    generation: loopback.slotWord(slot, 'generation') & 0xffff,
    cpu: LIMIT.CPU_ANY,
    sliceUs: 0,
    keyLo: clock >>> 0,
    keyHi: Math.floor(clock / 2 ** 32),
    flags: 0,
  };
}

/** Honest, with one field spoiled, or nothing but noise. */
function hostile(): Entry {
  const entry = honest(random.below(tasks.nrSlots));
  switch (random.below(10)) {
    case 0:
      return entry;
    case 1:
      return { ...entry, slot: random.pick([loopback.nrSlots, 0xffffffff, random.word()]) };
    case 2:
      return { ...entry, enq: random.pick([entry.enq - 1, entry.enq + 1, 0, random.word()]) >>> 0 };
    case 3:
      return { ...entry, generation: random.pick([0, 2, random.word() & 0xffff]) };
    case 4:
      return { ...entry, cpu: random.pick([0, loopback.arena.nrCpus, 0xfffe, random.word() & 0xffff]) };
    case 5:
      return { ...entry, sliceUs: random.pick([1, 99, 100, 100_000, 100_001, random.word()]) };
    case 6:
      return { ...entry, keyHi: random.word(), keyLo: random.word() };
    case 7:
      return { ...entry, keyHi: entry.keyHi + random.pick([-3, -2, 2, 3]), flags: random.word() };
    case 8:
      return { ...entry, slot: tasks.nrSlots + random.below(loopback.nrSlots - tasks.nrSlots) };
    default:
      return {
        slot: random.word(),
        enq: random.word(),
        generation: random.word() & 0xffff,
        cpu: random.word() & 0xffff,
        sliceUs: random.word(),
        keyLo: random.word(),
        keyHi: random.word(),
        flags: random.word(),
      };
  }
}

function write(position: number, entry: Entry): void {
  const { decisionRingWord, decisionRingSize } = domainPlace(loopback.arena, 0);
  const at = decisionRingWord + (position & (decisionRingSize - 1)) * DECISION.words;
  words[at + DECISION.word.slot] = entry.slot;
  words[at + DECISION.word.enq] = entry.enq;
  words[at + DECISION.word.generation] = entry.generation | (entry.cpu << 16);
  words[at + DECISION.word.sliceUs] = entry.sliceUs;
  words[at + DECISION.word.keyLo] = entry.keyLo;
  words[at + DECISION.word.keyHi] = entry.keyHi;
  words[at + DECISION.word.flags] = entry.flags;
  words[at + DECISION.word.seq] = position + 1;
}

/** Nothing can be taken from there on. */
function stopAt(position: number): void {
  const { decisionRingWord, decisionRingSize } = domainPlace(loopback.arena, 0);
  words[decisionRingWord + (position & (decisionRingSize - 1)) * DECISION.words + DECISION.word.seq] = position;
}

const setWord = (name: keyof typeof DOMAIN.word, value: number): void => {
  Atomics.store(words, loopback.domainIndex(0, name), value);
};

/** The task ring's entries are read by nobody here. */
const feedAndForget = (count: number): number => {
  const { pushed } = loopback.feed(tasks, count);
  setWord('taskHead', loopback.domainWord(0, 'taskTail'));
  return pushed;
};

/** As many honest tasks as there are go there and back through a worker. */
async function stillWorks(): Promise<void> {
  loopback.prepare(tasks);
  await loopback.startWorker(0);
  let pushed = 0;
  let drained = 0;
  const endMs = performance.now() + 20_000;
  while ((pushed < 20_000 || drained < pushed) && performance.now() < endMs) {
    if (pushed < 20_000) pushed += loopback.feed(tasks, tasks.nrSlots).pushed;
    drained += (await loopback.drainOn(twoCpus()[0], 0, 4096)).drained;
  }
  expect(drained).toBe(pushed);
}

describe('decisions that lie', () => {
  test('are refused or corrected each by its rule, and the counts add up', async () => {
    const seen: Drained[] = [];
    let entries = 0;
    for (let round = 0; round < ROUNDS; round++) {
      feedAndForget(random.below(200));
      // Also across the places where positions wrap: at the ring's end and at 2^32.
      const start = round % 10 === 0 ? (0 - random.below(100)) >>> 0 : loopback.domainWord(0, 'decisionHead');
      const count = random.below(300);
      const model = new Model();
      for (let index = 0; index < count; index++) {
        const entry = hostile();
        write((start + index) >>> 0, entry);
        model.take(entry);
      }
      stopAt(start + count);
      setWord('decisionHead', start);
      const drained = loopback.drain(0, 1000);
      expect(drained, `round ${round}`).toEqual(model.sum);
      expect(drained.drained + drained.stale + drained.deadSlot).toBe(count);
      expect(loopback.domainWord(0, 'decisionHead')).toBe((start + count) >>> 0);
      seen.push(drained);
      entries += count;
    }
    const all = sumOf(seen);
    expect(all.drained + all.stale + all.deadSlot).toBe(entries);
    for (const count of Object.values(all)) expect(count).toBeGreaterThan(100);
    await stillWorks();
  });

  test('in sequence numbers, or in the head, end the ring until a worker sees to it', async () => {
    const size = loopback.domainWord(0, 'decisionRingSize');
    for (let round = 0; round < ROUNDS; round++) {
      feedAndForget(random.below(50));
      const head = random.word();
      const spoiled = random.below(8);
      for (let index = 0; index < size; index++) write((head + index) >>> 0, honest(random.below(tasks.nrSlots)));
      const isHead = round % 2 === 0;
      if (!isHead) stopAt((head + spoiled + random.pick([0, size, 2 ** 31])) >>> 0);
      const from = isHead ? (head + size + random.below(2 ** 31)) >>> 0 : head;
      setWord('decisionHead', from);
      const { drained, stale, deadSlot } = loopback.drain(0, 100);
      expect(drained + stale + deadSlot).toBe(isHead ? 0 : spoiled);
      expect(loopback.domainWord(0, 'decisionHead')).toBe(isHead ? from : (head + spoiled) >>> 0);
    }
    await stillWorks();
  });

  test('are survived while they change under the reader, by one drainer on each CPU', async () => {
    const size = loopback.domainWord(0, 'decisionRingSize');
    const { decisionRingWord } = domainPlace(loopback.arena, 0);
    const seen: Drained[] = [];
    let pushed = 0;
    for (let round = 0; round < ROUNDS; round++) {
      pushed += feedAndForget(100);
      const draining = twoCpus().map((cpu) => loopback.drainOn(cpu, 0, 2000));
      for (let step = 0; step < 200; step++) {
        if (step % 20 === 0) setWord('decisionHead', random.word());
        const head = loopback.domainWord(0, 'decisionHead');
        for (let ahead = random.below(10); ahead >= 0; ahead--) write((head + ahead) >>> 0, hostile());
        words[decisionRingWord + random.below(size * DECISION.words)] = random.word();
      }
      seen.push(...(await Promise.all(draining)));
    }
    const all = sumOf(seen);
    // However often a decision was repeated, no task was decided more than once for each time it asked.
    expect(all.drained).toBe(pushed - loopback.asked(tasks));
    expect(all.drained).toBeGreaterThan(0);
    expect(all.deadSlot + all.stale).toBeGreaterThan(all.drained);
    await stillWorks();
  });
});

test('noise over a whole domain and its slots harms nobody but their owner', () => {
  const { domainWord, taskRingWord, taskRingSize } = domainPlace(loopback.arena, 0);
  const { slotsWord } = loopback.arena;
  let passed = 0;
  for (let round = 0; round < ROUNDS; round++) {
    for (let index = 0; index < 20; index++) {
      words[domainWord + random.below(DOMAIN.words)] = random.word();
      words[slotsWord + random.below(tasks.nrSlots * SLOT.words)] = random.word();
      words[taskRingWord + random.below(taskRingSize * 4)] = random.word();
    }
    const { pushed, ringFull } = loopback.feed(tasks, 500);
    expect(pushed + ringFull).toBeLessThanOrEqual(500);
    const drained = loopback.drain(0, 500);
    expect(drained.drained + drained.stale + drained.deadSlot).toBeLessThanOrEqual(500);
    passed += pushed;
  }
  expect(passed).toBeGreaterThan(0);

  // Another session is as good as new.
  const other = new Loopback('one');
  other.prepare(tasks);
  expect(other.feed(tasks, 100)).toEqual({ pushed: 100, ringFull: 0 });
  return other.close();
});
