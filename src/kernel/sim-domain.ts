/** One domain of the simulated kernel: its queue, its rings, and the checks every decision goes through. */
import { addU64, type Arena, readU64, writeU64 } from '../shm/arena.js';
import {
  COUNTER,
  COUNTER_NAMES,
  DECISION_FLAG,
  DOMAIN,
  LIMIT,
  ORDER,
  ORDER_FLAG,
  OWNER,
  SLOT,
} from '../shm/layout.generated.js';
import { clampKey, clampSlice, SimDecisionConsumer, SimTaskProducer } from './sim-rings.js';
import type { SimTask } from './sim-task.js';

type CounterName = keyof typeof COUNTER;

/** SimQueued is a task in the domain's queue. */
export interface SimQueued {
  readonly task: SimTask;
  readonly keyNs: number;
  readonly sliceNs: number;
  /** The only CPU that may take it, or LIMIT.CPU_ANY. */
  readonly cpu: number;
  readonly preempt: boolean;
}

/** SimDomain is ordered by key; equal keys in order of arrival, as a vtime DSQ. */
export class SimDomain {
  readonly queue: SimQueued[] = [];
  readonly producer: SimTaskProducer;
  /** CPUs whose tasks the worker wants stopped. */
  readonly kicked: number[] = [];
  private readonly consumer: SimDecisionConsumer;
  private readonly at: number;

  constructor(
    private readonly arena: Arena,
    readonly id: number,
    readonly cpus: readonly number[],
    private readonly defaultSliceUs: number,
    private readonly taskOf: (slot: number) => SimTask | undefined,
  ) {
    this.producer = new SimTaskProducer(arena, id);
    this.consumer = new SimDecisionConsumer(arena, id);
    this.at = this.producer.place.domainWord;
  }

  get clockNs(): number {
    return readU64(this.arena.words, this.at + DOMAIN.word.clockNs);
  }

  /** advanceClock moves the virtual clock to a task that begins to run, never back. */
  advanceClock(vtimeNs: number): void {
    if (vtimeNs > this.clockNs)
      writeU64(this.arena.words, this.at + DOMAIN.word.clockNs, Math.floor(vtimeNs));
  }

  setIdle(count: number): void {
    this.arena.words[this.at + DOMAIN.word.nrIdle] = count;
  }

  count(name: CounterName): void {
    addU64(this.arena.words, this.at + DOMAIN.word.counters + COUNTER[name] * 2, 1);
  }

  /** counters reads all counters by name. */
  counters(): Record<(typeof COUNTER_NAMES)[number], number> {
    const at = this.at + DOMAIN.word.counters;
    const entries = COUNTER_NAMES.map((name, index) => [name, readU64(this.arena.words, at + index * 2)]);
    return Object.fromEntries(entries) as Record<(typeof COUNTER_NAMES)[number], number>;
  }

  insert(queued: SimQueued): void {
    let place = this.queue.length;
    while (place > 0 && this.queue[place - 1].keyNs > queued.keyNs) place--;
    this.queue.splice(place, 0, queued);
  }

  /** remove takes a task out of the queue, if it is there. */
  remove(task: SimTask): void {
    const place = this.queue.findIndex((queued) => queued.task === task);
    if (place >= 0) this.queue.splice(place, 1);
  }

  /** tell tells the worker of an event, if its policy wants to know. */
  tell(kind: number, task: SimTask, enq = 0): void {
    if (((this.arena.words[this.at + DOMAIN.word.events] >>> kind) & 1) === 0) return;
    const isTold = this.producer.pushEvent(kind, task.slot, enq, task.word('generation'));
    this.count(isTold ? 'EVENTS' : 'EVENTS_LOST');
  }

  /** next takes the first task that this CPU may run. */
  next(cpu: number): SimQueued | undefined {
    const place = this.queue.findIndex(
      (queued) => queued.task.mayUse(cpu) && (queued.cpu === LIMIT.CPU_ANY || queued.cpu === cpu),
    );
    return place < 0 ? undefined : this.queue.splice(place, 1)[0];
  }

  /** drain applies all waiting decisions; what was accepted is in the queue afterwards, and returned. */
  drain(): SimQueued[] {
    const accepted: SimQueued[] = [];
    while (this.consumer.take()) {
      const queued = this.accept();
      if (queued === undefined) continue;
      this.count('DECIDED');
      this.insert(queued);
      accepted.push(queued);
    }
    return accepted;
  }

  private accept(): SimQueued | undefined {
    const { consumer } = this;
    if ((consumer.flags & (DECISION_FLAG.KICK | DECISION_FLAG.WAKE_WORKER)) !== 0) {
      // An idle CPU looks for work anyway.
      if ((consumer.flags & DECISION_FLAG.PREEMPT) !== 0) this.kicked.push(consumer.cpu);
      return undefined;
    }
    const slot = consumer.slot >>> 0;
    const task = slot < this.arena.nrSlots ? this.taskOf(slot) : undefined;
    if (task?.word('generation') !== consumer.generation) {
      this.count('DEAD_SLOT');
      return undefined;
    }
    if (task.exited) {
      this.count('GONE');
      return undefined;
    }
    if (task.owner !== OWNER.ASKED || task.word('enq') !== consumer.enq >>> 0 || task.domain !== this.id) {
      this.count('STALE');
      return undefined;
    }
    const isNear = (consumer.flags & DECISION_FLAG.NEAR) !== 0;
    const cpu = isNear ? LIMIT.CPU_ANY : this.checkCpu(task, consumer.cpu);
    const sliceUs = clampSlice(consumer.sliceUs, this.defaultSliceUs);
    if (consumer.sliceUs !== 0 && sliceUs !== consumer.sliceUs >>> 0) this.count('SLICE_CLAMPED');
    const keyNs = clampKey(consumer.key[0], this.clockNs);
    if (keyNs !== consumer.key[0]) this.count('KEY_CLAMPED');
    task.setOwner(OWNER.DECIDED);
    task.execSinceDecisionNs = 0;
    const preempt = (consumer.flags & DECISION_FLAG.PREEMPT) !== 0;
    return { task, keyNs, sliceNs: sliceUs * 1000, cpu, preempt };
  }

  private checkCpu(task: SimTask, cpu: number): number {
    if (cpu === LIMIT.CPU_ANY) return cpu;
    if (!this.cpus.includes(cpu)) {
      this.count('BAD_CPU');
      return LIMIT.CPU_ANY;
    }
    if (!task.mayUse(cpu)) {
      this.count('AFFINITY');
      return LIMIT.CPU_ANY;
    }
    return cpu;
  }

  /** standing applies a waking task's standing order; undefined when it has none that is valid. */
  standing(task: SimTask, nowNs: number): SimQueued | undefined {
    const at = this.arena.slotsWord + task.slot * SLOT.words + SLOT.word.order;
    const { words } = this.arena;
    const field = (name: keyof typeof ORDER.word): number => words[at + ORDER.word[name]];
    const serial = field('serial');
    if (serial === 0) return undefined;
    if (serial !== task.orderSerial) {
      task.orderSerial = serial;
      task.orderWakes = 0;
    }
    if (task.orderWakes >= field('wakes') || nowNs / 1e6 >= field('expiresMs')) return undefined;
    task.orderWakes++;
    task.vtimeNs = Math.max(task.vtimeNs, this.clockNs - field('lagUs') * 1000);
    const keyNs = task.deadlineNs(field('execCapUs') * 1000) + field('offsetUs') * 1000;
    const sliceNs = clampSlice(field('sliceUs'), this.defaultSliceUs) * 1000;
    const cpu = this.checkCpu(task, words[at + ORDER.word.cpu] & 0xffff);
    const preempt = (field('flags') & ORDER_FLAG.PREEMPT) !== 0;
    return { task, keyNs: clampKey(keyNs, this.clockNs), sliceNs, cpu, preempt };
  }
}
