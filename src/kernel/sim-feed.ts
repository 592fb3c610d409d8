/** An endless supply of synthetic tasks for one domain, without allocation: for warm-up and benchmarks. */
import type { Arena } from '../shm/arena.js';
import { CPU, DOMAIN, LIMIT, OWNER, SLOT, TASK_FLAG } from '../shm/layout.generated.js';
import type { Slot } from '../shm/slot.js';
import { setUpSimMemory } from './sim-memory.js';
import { SimDecisionConsumer, SimTaskProducer } from './sim-rings.js';

const W = SLOT.word;
const TICK_MASK = 2 ** 27 - 1;
/** The low word of times goes through 2^31 again and again, as real ones do: V8 compiles for the numbers it has seen. */
const HALF_TICKS = 2 ** 26;
const TOP_BIT = -(2 ** 31);
/** Every eighth wait is a new task's. */
const RENEW_MASK = 7;
const GENERATION_MASK = 0xffff;
/** The high word of all times: past 2^32, as real ones are after four seconds. */
const HIGH_WORD = 1234;
const WOKE = TASK_FLAG.WAKEUP;
const FLAGS = [0, WOKE, WOKE | TASK_FLAG.NEW, WOKE];
const WEIGHTS = [100, 1, 10000, 335, 29];

/** SimFeed pushes tasks that are not waiting, and takes the decisions about those that are. */
export class SimFeed {
  readonly arena: Arena;
  /** Decisions taken, and those among them that named a wait that is over. */
  decided = 0;
  stale = 0;
  private readonly producer: SimTaskProducer;
  private readonly consumer: SimDecisionConsumer;
  private next = 0;
  private tickNs = 0;

  /** @param nrSlots - tasks, a power of two; rings have that many entries. */
  constructor(
    private readonly nrSlots: number,
    firstPosition = 0,
  ) {
    this.arena = setUpSimMemory({
      domains: [{ cpus: [0, 1, 2, 3] }],
      nrSlots,
      taskRingSize: nrSlots,
      decisionRingSize: nrSlots,
      firstPosition,
    });
    this.producer = new SimTaskProducer(this.arena, 0);
    this.consumer = new SimDecisionConsumer(this.arena, 0);
    for (let slot = 0; slot < nrSlots; slot++) this.prepare(slot);
  }

  private at(slot: number): number {
    return this.arena.slotsWord + slot * SLOT.words;
  }

  private prepare(slot: number): void {
    const { words } = this.arena;
    const at = this.at(slot);
    words[at + W.generation] = 1 + (slot % 7);
    words[at + W.pid] = 1000 + slot;
    words[at + W.weight] = WEIGHTS[slot % 5];
    words[at + W.owner] = OWNER.KERNEL;
    words[at + W.cpu] = slot & 3;
  }

  /** push hands over up to `count` tasks, in turn, passing over those that wait, and returns how many found room. */
  push(count: number): number {
    const { words } = this.arena;
    let pushed = 0;
    for (let looked = 0; looked < this.nrSlots && pushed < count; looked++) {
      const slot = this.next;
      this.next = (slot + 1) & (this.nrSlots - 1);
      if (words[this.at(slot) + W.owner] === OWNER.ASKED) continue;
      if (!this.pushOne(slot)) return pushed;
      pushed++;
    }
    return pushed;
  }

  private pushOne(slot: number): boolean {
    const { words } = this.arena;
    const at = this.at(slot);
    this.tickNs = (this.tickNs + 13_000) & TICK_MASK;
    words[at + W.enq]++;
    // Tasks come and go: what is done for a new one in a slot must get hot as well.
    if (((slot + words[at + W.enq]) & RENEW_MASK) === 0) {
      words[at + W.generation] = (words[at + W.generation] + 1) & GENERATION_MASK;
    }
    this.writeTime(at + W.vtimeNs, this.tickNs + ((slot * 7919) & 0xfffff));
    words[at + W.execSinceWakeNs] = (slot * 104729) & 0x3fffff;
    this.writeLife(slot, at);
    this.writeTime(at + W.enqueuedNs, this.tickNs);
    words[at + W.owner] = OWNER.ASKED;
    if (this.producer.push(slot as Slot, FLAGS[slot & 3])) return true;
    words[at + W.owner] = OWNER.KERNEL;
    return false;
  }

  /** What it did since its last decision: once or several times awake, short or long, and what runs now instead. */
  private writeLife(slot: number, at: number): void {
    const { words, cpusWord } = this.arena;
    const enq = words[at + W.enq];
    words[at + W.wakes] = (slot + enq) & 7;
    words[at + W.execSinceDecisionNs] = ((slot + enq) * 104729) & 0xffffff;
    this.writeTime(at + W.startedNs, this.tickNs - 9_000_000);
    this.writeTime(at + W.stoppedNs, this.tickNs - ((enq & 3) << 20));
    this.writeTime(at + W.wokenNs, this.tickNs);
    words[at + W.sleepNs] = (enq & 7) << 20;
    words[at + W.runnableSinceNs] = enq & 15;
    const cpu = cpusWord + (enq & 3) * CPU.words;
    words[cpu + CPU.word.slot] = (slot * 7 + enq) & (this.nrSlots - 1);
    this.writeTime(cpu + CPU.word.sinceNs, this.tickNs - ((enq & 7) << 18));
  }

  /** A time in two halves, neither of which V8 boxes. */
  private writeTime(word: number, lowNs: number): void {
    this.arena.words[word] = (lowNs - HALF_TICKS) ^ TOP_BIT;
    this.arena.words[word + 1] = HIGH_WORD;
  }

  /** drain takes all decisions there are and returns how many. */
  drain(): number {
    const { words } = this.arena;
    let taken = 0;
    for (; this.consumer.take(); taken++) {
      const slot = this.consumer.slot >>> 0;
      const at = this.at(slot);
      if (
        slot < this.nrSlots &&
        words[at + W.owner] === OWNER.ASKED &&
        (words[at + W.enq] | 0) === this.consumer.enq
      ) {
        words[at + W.owner] = OWNER.KERNEL;
        this.decided++;
      } else this.stale++;
    }
    this.writeTime(this.producer.place.domainWord + DOMAIN.word.clockNs, this.tickNs);
    return taken;
  }

  /** setIdle sets the number of idle CPUs the worker sees. */
  setIdle(count: number): void {
    this.arena.words[this.producer.place.domainWord + DOMAIN.word.nrIdle] = Math.min(count, LIMIT.MAX_CPUS);
  }
}
