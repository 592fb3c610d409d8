/** A task ring whose bytes are changed at random: the worker's side writes nowhere but where it may, and keeps count. */
import { expect, test } from 'vitest';
import { setUpSimMemory } from '../../src/kernel/sim-memory.js';
import { SimTaskProducer } from '../../src/kernel/sim-rings.js';
import { BUILTIN_POLICY_NAMES } from '../../src/policy/builtin-names.js';
import { builtinPolicy } from '../../src/policy/builtin.js';
import { parseOptions } from '../../src/policy/options.js';
import { type Arena, type DomainPlace, domainPlace } from '../../src/shm/arena.js';
import { DecisionRing } from '../../src/shm/decision-ring.js';
import { HeldTasks } from '../../src/shm/held-tasks.js';
import { DECISION, DOMAIN, EVENT, LIMIT, SLOT, TASK_ENTRY } from '../../src/shm/layout.generated.js';
import { slot } from '../../src/shm/slot.js';
import { TaskRing, TOLD } from '../../src/shm/task-ring.js';
import { DomainLoop } from '../../src/worker/domain-loop.js';
import { type Random, fuzzSeed, randomNumbers } from '../native/random.js';

const CORRUPTIONS = Math.ceil(Number(process.env['NODELAND_FUZZ'] ?? 10_000_000) / 10);
const NR_SLOTS = 96;
const RING = 64;
const NOTHING = 0xffffffff;
/** A million changes take some 4 s where nothing else runs. */
const LIMIT_MS = 60_000 + CORRUPTIONS / 10;

interface Machine {
  readonly arena: Arena;
  readonly place: DomainPlace;
  readonly bytes: Uint8Array;
  readonly producer: SimTaskProducer;
}

/** The second of three domains, so that there is something to spoil on either side. */
function machine(firstPosition: number): Machine {
  const domains = [0, 1, 2].map((cpu) => ({ cpus: [cpu] }));
  const arena = setUpSimMemory({
    domains,
    nrSlots: NR_SLOTS,
    taskRingSize: RING,
    decisionRingSize: RING,
    firstPosition,
  });
  const bytes = new Uint8Array(arena.words.buffer);
  return { arena, place: domainPlace(arena, 1), bytes, producer: new SimTaskProducer(arena, 1) };
}

/** Changes bytes of a range of words, and tells how many. */
function spoil(random: Random, bytes: Uint8Array, firstWord: number, nrWords: number): number {
  const count = 1 + random.below(40);
  for (let index = 0; index < count; index++) {
    bytes[firstWord * 4 + random.below(nrWords * 4)] ^= 1 + random.below(255);
  }
  return count;
}

/** Runs a fuzzer until it has changed enough bytes; on failure its seed is told. */
function fuzz(step: (random: Random) => number): void {
  const seed = fuzzSeed();
  const random = randomNumbers(seed);
  let corruptions = 0;
  try {
    while (corruptions < CORRUPTIONS) corruptions += step(random);
  } catch (error) {
    console.error(`NODELAND_FUZZ_SEED=${seed} repeats this, after ${corruptions} changes`);
    throw error;
  }
  expect(corruptions).toBeGreaterThanOrEqual(CORRUPTIONS);
}

const wordOf = (place: DomainPlace, name: keyof typeof DOMAIN.word): number =>
  place.domainWord + DOMAIN.word[name];
const FIRST_POSITIONS = [0, 2 ** 31 - 20, 2 ** 32 - 20];
const isEqual = (words: Uint32Array, bytes: Uint8Array): boolean => Buffer.from(words.buffer).equals(bytes);

/** Reader is the worker's end of the rings, and beside it what is known of it from the entries' own words. */
class Reader {
  readonly made: Machine;
  readonly held = new HeldTasks(NR_SLOTS);
  private readonly ring: TaskRing;
  private readonly decisions: DecisionRing;
  private readonly told = new Uint32Array(RING + 1);
  private readonly keyNs = new Float64Array(NR_SLOTS);
  private readonly isHeld = Array.from({ length: NR_SLOTS }, () => false);
  /** The wait noted last for each slot. */
  private readonly noted = Array.from({ length: NR_SLOTS }, () => ({ enq: 0, generation: 0 }));

  constructor(private position: number) {
    this.made = machine(position);
    this.ring = new TaskRing(this.made.arena, this.made.place);
    this.decisions = new DecisionRing(this.made.arena, this.made.place);
  }

  private entryWord(position: number): number {
    return this.made.place.taskRingWord + (position & (RING - 1)) * TASK_ENTRY.words;
  }

  /** Takes and releases a batch, and tells how many tasks it told and how many entries it passed over. */
  take(limit: number): { listed: number; passedOver: number } {
    const { made, held, ring, told } = this;
    const { words } = made.arena;
    const wanted: number[] = [];
    let count = 0;
    let passedOver = 0;
    while (
      count < limit &&
      words[this.entryWord(this.position + count)] === (this.position + count + 1) >>> 0
    ) {
      const entry = this.entryWord(this.position + count);
      const which = words[entry + TASK_ENTRY.word.slot];
      count++;
      const told = this.expected(which, words[entry + TASK_ENTRY.word.enq], words[entry + 3]);
      if (told === undefined) passedOver++;
      else wanted.push(told);
    }

    const before = words.slice();
    told.fill(NOTHING);
    expect(ring.committed(limit)).toBe(count);
    const listed = ring.take(count, held, told);
    expect(Array.from(told)).toEqual([...wanted, ...Array<number>(told.length - listed).fill(NOTHING)]);
    this.checkHeld();
    ring.release(count);
    this.position = (this.position + count) >>> 0;
    before[wordOf(made.place, 'taskHead')] = this.position;
    expect(isEqual(before, made.bytes)).toBe(true);
    return { listed, passedOver };
  }

  /** What an entry comes to: a word of the list, or nothing. */
  private expected(which: number, enq: number, stamp: number): number | undefined {
    if (which >= NR_SLOTS) return undefined;
    const generation = stamp & 0xffff;
    const kind = stamp >>> 24;
    const noted = this.noted[which];
    if (kind !== EVENT.ASK) {
      if (kind >= EVENT.NR_EVENTS) return undefined;
      if (kind === EVENT.DEQUEUE) {
        if (!this.isHeld[which] || noted.enq !== enq || noted.generation !== generation) return undefined;
        this.isHeld[which] = false;
      }
      return which | ((enq & TOLD.cpuMask) << TOLD.cpuShift) | (kind << TOLD.kindShift);
    }
    this.noted[which] = { enq, generation };
    if (this.isHeld[which]) {
      return noted.generation === generation ? undefined : which | (TOLD.renew << TOLD.kindShift);
    }
    this.isHeld[which] = true;
    return noted.generation === generation ? which : which | (TOLD.begin << TOLD.kindShift);
  }

  /** Decides some of what is held and more, as a policy may. */
  decide(random: Random): void {
    const { decisions, held, keyNs, isHeld, made } = this;
    decisions.open(decisions.room(RING));
    for (let index = 0; index < NR_SLOTS; index += 1 + random.below(3)) {
      if (decisions.put(slot(index), held, keyNs, 0, 0, 0)) isHeld[index] = false;
    }
    held.count -= decisions.publish();
    this.checkHeld();
    made.arena.words[wordOf(made.place, 'decisionHead')] =
      made.arena.words[wordOf(made.place, 'decisionTail')];
  }

  private checkHeld(): void {
    const { held, isHeld } = this;
    expect(isHeld.map((_, index) => held.holds(slot(index)))).toEqual(isHeld);
    expect(held.count).toBe(isHeld.filter(Boolean).length);
  }
}

test(
  'spoiled entries of a task ring are taken once or passed over, and nothing else is written',
  { timeout: LIMIT_MS },
  () => {
    let reader = new Reader(0);
    const sum = { listed: 0, passedOver: 0 };
    fuzz((random) => {
      // One whose sequence number is spoiled holds up the ring for good: begin anew.
      if (random.below(6) === 0) reader = new Reader(random.pick([...FIRST_POSITIONS, random.word()]));
      const { producer, place, bytes } = reader.made;
      for (let count = random.below(RING); count > 0; count--) {
        producer.push(slot(random.below(NR_SLOTS)), random.below(16));
      }
      let corruptions = spoil(random, bytes, place.taskRingWord, RING * TASK_ENTRY.words);
      if (random.below(4) === 0) {
        corruptions += spoil(random, bytes, wordOf(place, random.pick(['taskHead', 'taskTail'])), 1);
      }
      const { listed, passedOver } = reader.take(random.below(2 * RING));
      sum.listed += listed;
      sum.passedOver += passedOver;
      reader.decide(random);
      return corruptions;
    });
    expect(sum.listed).toBeGreaterThan(CORRUPTIONS / 1000);
    expect(sum.passedOver).toBeGreaterThan(CORRUPTIONS / 1000);
  },
);

/** What a worker may write: its words of its domain, its decision ring, and orders. */
function ownWords({ arena, place }: Machine): (word: number) => boolean {
  const names = ['progress', 'workerState', 'waitMode', 'taskHead', 'decisionTail', 'wakeRequest'] as const;
  const own = new Set(names.map((name) => wordOf(place, name)));
  const within = (word: number, first: number, count: number): boolean =>
    word >= first && word < first + count;
  const inSlots = (word: number): number => word - arena.slotsWord;
  return (word) =>
    own.has(word) ||
    within(word, wordOf(place, 'workerStats'), LIMIT.WORKER_STATS * 2) ||
    within(word, place.decisionRingWord, RING * DECISION.words) ||
    (within(word, arena.slotsWord, NR_SLOTS * SLOT.words) && inSlots(word) % SLOT.words >= SLOT.word.order);
}

test.each(BUILTIN_POLICY_NAMES)(
  'policy %s decides all it was told, whatever is in the ring and in the slots, and writes what is its own',
  (name) => {
    const policy = builtinPolicy(name);
    if (!policy) throw new Error(`no policy ${name}`);
    let made: Machine | undefined;
    let loop: DomainLoop | undefined;
    let isOwn: (word: number) => boolean = () => false;
    let decided = 0;
    fuzz((random) => {
      if (!made || !loop || random.below(20) === 0) {
        made = machine(random.pick(FIRST_POSITIONS));
        loop = new DomainLoop(made.arena, {
          domain: 1,
          policy,
          options: parseOptions(policy, undefined),
          ask: random.pick(['auto', 'always']),
          sliceUs: 5000,
        });
        isOwn = ownWords(made);
      }
      const { arena, place, producer, bytes } = made;
      const { words } = arena;
      for (let count = random.below(RING); count > 0; count--) {
        producer.push(slot(random.below(NR_SLOTS)), random.below(16));
      }
      const corruptions =
        spoil(random, bytes, place.taskRingWord, RING * TASK_ENTRY.words) +
        spoil(random, bytes, arena.slotsWord, NR_SLOTS * SLOT.words) +
        spoil(
          random,
          bytes,
          wordOf(place, random.pick(['clockNs', 'nrIdle', 'parked', 'taskTail', 'decisionHead'])),
          1,
        );
      const before = words.slice();
      decided += loop.batch();
      for (let turn = 0; turn < 2 * NR_SLOTS && loop.hasWork(); turn++) {
        words[wordOf(place, 'decisionHead')] = words[wordOf(place, 'decisionTail')];
        decided += loop.batch();
      }
      expect(loop.hasWork()).toBe(false);
      before[wordOf(place, 'decisionHead')] = words[wordOf(place, 'decisionHead')];
      for (let word = 0; word < words.length; word++) {
        if (words[word] !== before[word] && !isOwn(word)) expect(`word ${word} written`).toBe('left alone');
      }
      return corruptions;
    });
    expect(decided).toBeGreaterThan(CORRUPTIONS / 1000);
  },
  LIMIT_MS,
);
