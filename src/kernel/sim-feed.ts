/** An endless supply of synthetic tasks for one domain, without allocation: for warm-up and benchmarks. */
import { type Arena, writeU64 } from '../shm/arena.js';
import { DOMAIN, LIMIT, OWNER, SLOT, TASK_FLAG } from '../shm/layout.generated.js';
import type { Slot } from '../shm/slot.js';
import { setUpSimMemory } from './sim-memory.js';
import { SimDecisionConsumer, SimTaskProducer } from './sim-rings.js';

const W = SLOT.word;

/** SimFeed pushes tasks that are not waiting, and takes the decisions about those that are. */
export class SimFeed {
  readonly arena: Arena;
  /** Decisions taken, and those among them that named a wait that is over. */
  decided = 0;
  stale = 0;
  private readonly producer: SimTaskProducer;
  private readonly consumer: SimDecisionConsumer;
  private next = 0;
  private clockUs = 0;

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
    words[at + W.weight] = [100, 1, 10000, 335, 29][slot % 5];
    words[at + W.owner] = OWNER.KERNEL;
    words[at + W.cpu] = slot & 3;
  }

  /** push hands over up to `count` tasks, in turn, and returns how many found room. */
  push(count: number): number {
    const { words } = this.arena;
    for (let pushed = 0; pushed < count; pushed++) {
      const slot = this.next;
      const at = this.at(slot);
      if (words[at + W.owner] === OWNER.ASKED) return pushed;
      this.clockUs = (this.clockUs + 13) % 1_000_000_000;
      words[at + W.enq]++;
      writeU64(words, at + W.vtimeNs, this.clockUs * 1000 + ((slot * 7919) & 0xfffff));
      writeU64(words, at + W.execSinceWakeNs, (slot * 104729) & 0x3fffff);
      writeU64(words, at + W.enqueuedNs, this.clockUs * 1000);
      words[at + W.owner] = OWNER.ASKED;
      const flags =
        (slot & 3) === 0 ? 0 : (slot & 3) === 1 ? TASK_FLAG.WAKEUP : TASK_FLAG.WAKEUP | TASK_FLAG.NEW;
      if (!this.producer.push(slot as Slot, flags)) {
        words[at + W.owner] = OWNER.KERNEL;
        return pushed;
      }
      this.next = (slot + 1) & (this.nrSlots - 1);
    }
    return count;
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
    writeU64(words, this.producer.place.domainWord + DOMAIN.word.clockNs, this.clockUs * 1000);
    return taken;
  }

  /** setIdle sets the number of idle CPUs the worker sees. */
  setIdle(count: number): void {
    this.arena.words[this.producer.place.domainWord + DOMAIN.word.nrIdle] = Math.min(count, LIMIT.MAX_CPUS);
  }
}
