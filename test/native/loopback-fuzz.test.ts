/**
 * Bytes of the decision ring and of its positions changed at random, millions of them: the kernel side takes every entry
 * exactly once, by the rules, and writes nowhere else. NODELAND_FUZZ=N changes N bytes, NODELAND_FUZZ_SEED=N repeats a run.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { domainPlace } from '../../src/shm/arena.js';
import { DECISION, DOMAIN, LIMIT, OWNER, SLOT } from '../../src/shm/layout.generated.js';
import { readTopology } from '../../src/topology/read.js';
import { DecisionOracle } from './decision-oracle.js';
import { KernelLog, kernelTaint } from './kernel-log.js';
import { type Drained, Loopback, type Range, sumOf, twoCpus, whyNoLoopback } from './loopback.js';
import { type Random, fuzzSeed, randomNumbers } from './random.js';

const missing = whyNoLoopback();
const CORRUPTIONS = Number(process.env['NODELAND_FUZZ'] ?? 10_000_000);
/** Fewer than fit the task ring with a place kept free for each of 1024 CPUs. */
const tasks: Range = { domain: 0, firstSlot: 0, nrSlots: 3000 };
const MOST_IN_BATCH = 6_000;

/** Two domains where there are two CPUs, so that one has a neighbour whose memory must stay as it is. */
function oneCpuAndTheRest(): string {
  const [first, ...rest] = readTopology().online;
  return rest.length === 0 ? 'one' : `${first};${rest.join(',')}`;
}

/** Fuzz is a loopback session whose decision ring is spoiled, batch by batch. */
class Fuzz {
  readonly loopback = new Loopback(oneCpuAndTheRest());
  readonly oracle: DecisionOracle;
  readonly seen: Drained[] = [];
  corruptions = 0;
  entries = 0;
  blocked = 0;
  private readonly words = this.loopback.arena.words;
  private readonly place = domainPlace(this.loopback.arena, 0);
  private readonly ring: Uint8Array;
  private readonly clockAt = this.loopback.domainIndex(0, 'clockNs');
  private readonly headAt = this.loopback.domainIndex(0, 'decisionHead');

  constructor(private readonly random: Random) {
    const { arena, plan } = this.loopback;
    const { words, place } = this;
    this.oracle = new DecisionOracle(arena, (cpu) => cpu < arena.nrCpus && Math.max(plan.domainOfCpu[cpu], 0) === 0);
    this.ring = new Uint8Array(words.buffer, place.decisionRingWord * 4, place.decisionRingSize * DECISION.bytes);
    this.loopback.prepare(tasks);
    this.layCanaries();
    // Positions wrap early on.
    words[this.headAt] = 0 - random.below(10 * place.decisionRingSize);
  }

  /** Slots in all states, with generations that meet, and noise wherever nl_feed and nl_drain have no business. */
  private layCanaries(): void {
    const { arena } = this.loopback;
    const { words, random, oracle } = this;
    const { books } = oracle;
    for (let slot = 0; slot < arena.nrSlots; slot++) {
      const at = arena.slotsWord + slot * SLOT.words;
      for (let word = at + SLOT.word.order; word < at + SLOT.words; word++) words[word] = random.word();
      const isTask = slot < tasks.nrSlots;
      books.owner[slot] = isTask ? OWNER.KERNEL : random.below(4);
      books.generation[slot] = random.below(4);
      books.enq[slot] = isTask ? (0 - random.below(3)) >>> 0 : random.below(600);
      words[at + SLOT.word.owner] = books.owner[slot];
      // Only the lower half counts.
      words[at + SLOT.word.generation] = books.generation[slot] | (random.below(3) << 16);
      words[at + SLOT.word.enq] = books.enq[slot];
    }
    for (let domain = 1; domain < arena.nrDomains; domain++) {
      const { domainWord, taskRingWord } = domainPlace(arena, domain);
      for (let at = domainWord + DOMAIN.word.progress; at < taskRingWord; at++) words[at] = random.word();
      for (let at = taskRingWord; at < words.length; at++) words[at] = random.word();
    }
  }

  /** batch asks for tasks, answers them honestly, spoils the answers, and has them drained. */
  async batch(): Promise<void> {
    const { random, words, place } = this;
    const size = place.decisionRingSize;
    const count = random.below(4) === 0 ? random.below(size) : size;
    this.ask();
    this.answer();
    this.number(count);
    this.spoilEntries();
    // Else few entries could be taken: what is spoiled there ends the ring.
    if (random.below(4) !== 0) this.number(count);
    if (random.below(8) === 0) this.spoilHead();
    this.oracle.lookAt({ lo: words[this.clockAt], hi: words[this.clockAt + 1] });
    if (random.below(16) === 0) await this.drainByTwo();
    else do this.drainSome();
      while (this.takable(1) === 1);
    this.checkMemory();
  }

  private ask(): void {
    const { loopback, random, words } = this;
    const { owner, enq } = this.oracle.books;
    words[loopback.domainIndex(0, 'taskHead')] = loopback.domainWord(0, 'taskTail');
    const count = random.below(4) === 0 ? random.below(tasks.nrSlots) : tasks.nrSlots;
    let pushed = 0;
    for (let slot = 0; slot < count; slot++) {
      if (owner[slot] === OWNER.ASKED) continue;
      owner[slot] = OWNER.ASKED;
      enq[slot]++;
      pushed++;
    }
    expect(loopback.feed(tasks, count)).toEqual({ pushed, ringFull: 0 });
  }

  /** Fills the whole ring with valid decisions, each task's in turn. */
  private answer(): void {
    const { random, words, place } = this;
    const { enq, generation } = this.oracle.books;
    const clockNs = words[this.clockAt] + words[this.clockAt + 1] * 2 ** 32;
    const first = random.below(tasks.nrSlots);
    for (let entry = 0; entry < place.decisionRingSize; entry++) {
      const at = place.decisionRingWord + entry * DECISION.words;
      const slot = (first + entry) % tasks.nrSlots;
      const dice = random.word();
      const keyNs = clockNs + (dice - 2 ** 31) * 4;
      words[at + DECISION.word.slot] = slot;
      words[at + DECISION.word.enq] = enq[slot];
      words[at + DECISION.word.generation] = generation[slot] | ((dice & 1 ? 0 : LIMIT.CPU_ANY) << 16);
      words[at + DECISION.word.sliceUs] = dice & 2 ? 0 : LIMIT.SLICE_MIN_US + (dice >>> 16);
      words[at + DECISION.word.keyLo] = keyNs;
      words[at + DECISION.word.keyHi] = keyNs / 2 ** 32;
      words[at + DECISION.word.flags] = dice & 3;
    }
  }

  private seqAt(position: number): number {
    const { decisionRingWord, decisionRingSize } = this.place;
    return decisionRingWord + (position & (decisionRingSize - 1)) * DECISION.words + DECISION.word.seq;
  }

  /** Numbers so many entries from the head on, and no others. */
  private number(count: number): void {
    const { words, place } = this;
    const head = words[this.headAt];
    for (let index = 0; index < place.decisionRingSize; index++) {
      words[this.seqAt(head + index)] = head + index + (index < count ? 1 : 0);
    }
  }

  /** How many can be taken, at most `limit`. */
  private takable(limit: number): number {
    const head = this.words[this.headAt];
    let count = 0;
    while (count < limit && this.words[this.seqAt(head + count)] === (head + count + 1) >>> 0) count++;
    return count;
  }

  private spoilEntries(): void {
    const { random, ring } = this;
    const count = Math.min(1 + random.below(MOST_IN_BATCH), CORRUPTIONS - this.corruptions);
    for (let index = 0; index < count; index++) ring[random.below(ring.length)] ^= 1 + random.below(255);
    this.corruptions += count;
  }

  private spoilHead(): void {
    const { random, words, headAt } = this;
    for (let count = 1 + random.below(3); count > 0; count--) {
      words[headAt] ^= (1 + random.below(255)) << (8 * random.below(4));
      this.corruptions++;
    }
  }

  /** The kernel side's step, beforehand: judges up to `count` entries and moves the head of the picture. */
  private judge(count: number): void {
    const { words, place, oracle, headAt } = this;
    const head = words[headAt];
    const taken = this.takable(count);
    oracle.expected[headAt] = head + taken;
    for (let position = head; position !== head + taken; position++) {
      oracle.judge(words, place.decisionRingWord + (position & (place.decisionRingSize - 1)) * DECISION.words);
    }
    this.entries += taken;
    if (taken === 0) this.blocked++;
  }

  private drainSome(): void {
    const count = 1 + this.random.below(2 * this.place.decisionRingSize);
    this.judge(count);
    const drained = this.loopback.drain(0, count);
    expect(drained).toEqual(this.oracle.verdicts());
    this.seen.push(drained);
  }

  /** On two CPUs at once it is open which of two equal answers comes first, and so what gets corrected. */
  private async drainByTwo(): Promise<void> {
    this.judge(this.place.decisionRingSize);
    const count = 4 * this.place.decisionRingSize;
    const both = await Promise.all(twoCpus().map((cpu) => this.loopback.drainOn(cpu, 0, count)));
    const { drained, stale, deadSlot } = sumOf(both);
    const wanted = this.oracle.verdicts();
    expect({ drained, stale, deadSlot }).toEqual({
      drained: wanted.drained,
      stale: wanted.stale,
      deadSlot: wanted.deadSlot,
    });
    this.seen.push(...both);
  }

  /** Nothing in the whole memory but heads, owners and counts has changed, and those as they must. */
  private checkMemory(): void {
    const { words, oracle } = this;
    const isEqual = Buffer.from(words.buffer, 0, words.length * 4).equals(Buffer.from(oracle.expected.buffer));
    if (isEqual) return;
    const at = words.findIndex((word, index) => word !== oracle.expected[index]);
    expect(`byte ${at * 4}: ${words[at]}`).toBe(`byte ${at * 4}: ${oracle.expected[at]}`);
  }
}

describe('a decision ring whose bytes are changed at random', () => {
  const seed = fuzzSeed();
  let log: KernelLog | string;
  let taintBefore: string;

  beforeAll(() => {
    log = KernelLog.open();
    taintBefore = kernelTaint();
  });
  afterAll(() => {
    if (typeof log !== 'string') log.close();
  });

  test.skipIf(missing !== undefined)(
    'has every entry refused or valid, and nothing else is touched',
    async () => {
      const fuzz = new Fuzz(randomNumbers(seed));
      let batches = 0;
      try {
        for (; fuzz.corruptions < CORRUPTIONS; batches++) await fuzz.batch();
      } catch (error) {
        console.error(`NODELAND_FUZZ_SEED=${seed} repeats this: batch ${batches}, ${fuzz.corruptions} changes`);
        throw error;
      } finally {
        await fuzz.loopback.close();
      }
      const all = sumOf(fuzz.seen);
      expect(fuzz.corruptions).toBeGreaterThanOrEqual(CORRUPTIONS);
      expect(all.drained + all.stale + all.deadSlot).toBe(fuzz.entries);
      for (const count of Object.values(all)) expect(count).toBeGreaterThan(CORRUPTIONS / 10_000);
      console.log(
        `${fuzz.corruptions} bytes changed, ${fuzz.entries} entries in ${batches} batches, ` +
          `${fuzz.blocked} times none that could be taken: ${JSON.stringify(all)}`,
      );
    },
    // 10 million are some 10 s where nothing else runs.
    120_000 + CORRUPTIONS / 20,
  );

  test('leaves the kernel without a warning', (context) => {
    if (missing !== undefined) return context.skip(missing);
    expect(kernelTaint()).toBe(taintBefore);
    if (typeof log === 'string') return context.skip(log);
    expect(log.alarms()).toEqual([]);
  });
});
