/** One domain of the simulated kernel: its queue, its rings, and the checks every decision goes through. */
import { addU64, type Arena, readU64, writeU64 } from '../shm/arena.js';
import {
  COUNTER,
  COUNTER_NAMES,
  DECISION_FLAG,
  DOMAIN,
  DOMAIN_STATE,
  LIMIT,
  ORDER,
  ORDER_FLAG,
  OWNER,
  SLOT,
  WORKER_STAT_NAMES,
} from '../shm/layout.generated.js';
import type { SimCpu } from './sim-cpu.js';
import { clampKey, clampSlice, SimDecisionConsumer, SimTaskProducer } from './sim-rings.js';
import type { SimTask } from './sim-task.js';

/** Default bound of execution since wake in a deadline. */
const EXEC_CAP_SLICES = 100;

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

/** SimRequests is what a worker may ask beside decisions about tasks, and what the kernel is told of. */
export interface SimRequests {
  kick(cpu: number, preempt: boolean): void;
  wakeWorker(domain: number): void;
  /** Something was queued or told here. */
  touch(domain: SimDomain): void;
  /** A decision was applied. */
  answered(task: SimTask): void;
}

/** SimDomain is ordered by key; equal keys in order of arrival, as a vtime DSQ. */
export class SimDomain {
  readonly queue: SimQueued[] = [];
  /** Its CPUs, in the order of their numbers. */
  readonly members: SimCpu[] = [];
  readonly producer: SimTaskProducer;
  /** CPUs that run something, and CPUs that looked for work in vain. Others are about to look. */
  nrRunning = 0;
  nrIdle = 0;
  /** It is to be settled. */
  isTouched = false;
  /** Its policy's last decision had a key that the kernel keeps. */
  private keepsKeys = false;
  private tickDue = false;
  private readonly cpuSet: ReadonlySet<number>;
  private readonly consumer: SimDecisionConsumer;
  private readonly at: number;

  constructor(
    private readonly arena: Arena,
    readonly id: number,
    readonly cpus: readonly number[],
    private readonly defaultSliceUs: number,
    private readonly taskOf: (slot: number) => SimTask | undefined,
    private readonly domainOf: (id: number) => SimDomain,
    private readonly requests: SimRequests,
  ) {
    this.producer = new SimTaskProducer(arena, id);
    this.consumer = new SimDecisionConsumer(arena, id);
    this.at = this.producer.place.domainWord;
    this.cpuSet = new Set(cpus);
  }

  word(field: keyof typeof DOMAIN.word): number {
    return this.arena.words[this.at + DOMAIN.word[field]];
  }

  setWord(field: keyof typeof DOMAIN.word, value: number): void {
    this.arena.words[this.at + DOMAIN.word[field]] = value;
  }

  get state(): number {
    return this.word('state');
  }

  /** goTo changes how the domain is scheduled. */
  goTo(state: keyof typeof DOMAIN_STATE): void {
    this.setWord('state', DOMAIN_STATE[state]);
  }

  /** push asks the worker about a task; false when its ring is full. */
  push(task: SimTask, flags: number): boolean {
    if (!this.producer.push(task.slot, flags)) return false;
    this.requests.touch(this);
    return true;
  }

  /** hasWorkerWork tells whether a parked worker is to be called. */
  get hasWorkerWork(): boolean {
    return this.tickDue || this.word('wakeRequest') !== 0 || this.word('taskTail') !== this.word('taskHead');
  }

  /** letWorkerIn is what happens when the worker gets its CPU. */
  letWorkerIn(): void {
    this.tickDue = false;
    this.setWord('wakeRequest', 0);
    this.setWord('parked', 0);
  }

  get clockNs(): number {
    return readU64(this.arena.words, this.at + DOMAIN.word.clockNs);
  }

  /** advanceClock moves the virtual clock to a task that begins to run, never back. */
  advanceClock(vtimeNs: number): void {
    if (vtimeNs > this.clockNs)
      writeU64(this.arena.words, this.at + DOMAIN.word.clockNs, Math.floor(vtimeNs));
  }

  /** tell has the worker know of an event, if it wants to. */
  tell(kind: number, slot: number, enq: number, generation: number): void {
    const wanted = this.arena.words[this.at + DOMAIN.word.events];
    if (((wanted >>> kind) & 1) === 0) return;
    this.count(this.producer.tell(kind, slot, enq, generation) ? 'EVENTS' : 'EVENTS_LOST');
    this.requests.touch(this);
  }

  /** tickMs is how often the worker is to run at least; 0: it need not. */
  get tickMs(): number {
    return this.arena.words[this.at + DOMAIN.word.tickMs];
  }

  tick(): void {
    this.arena.words[this.at + DOMAIN.word.ticks]++;
    this.tickDue = true;
    this.requests.touch(this);
  }

  addIdle(count: number): void {
    this.nrIdle += count;
    this.setWord('nrIdle', this.nrIdle);
  }

  count(name: CounterName, amount = 1): void {
    addU64(this.arena.words, this.at + DOMAIN.word.counters + COUNTER[name] * 2, amount);
  }

  /** countAnew forgets what was counted here. */
  countAnew(): void {
    const { arena, at } = this;
    const zero = (word: number, counters: number): void =>
      void arena.words.fill(0, word, word + 2 * counters);
    zero(at + DOMAIN.word.counters, COUNTER_NAMES.length);
    zero(at + DOMAIN.word.workerStats, WORKER_STAT_NAMES.length);
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
    this.requests.touch(this);
  }

  private placeFor(cpu: number): number {
    return this.queue.findIndex(
      (queued) => queued.task.mayUse(cpu) && (queued.cpu === LIMIT.CPU_ANY || queued.cpu === cpu),
    );
  }

  /** hasFor tells whether a task waits that this CPU may run. */
  hasFor(cpu: number): boolean {
    return this.placeFor(cpu) >= 0;
  }

  /** next takes the first task that this CPU may run. */
  next(cpu: number): SimQueued | undefined {
    const place = this.placeFor(cpu);
    return place < 0 ? undefined : this.queue.splice(place, 1)[0];
  }

  /** remove takes a task that waits no longer out of the queue. */
  remove(task: SimTask): void {
    const place = this.queue.findIndex((queued) => queued.task === task);
    if (place >= 0) this.queue.splice(place, 1);
  }

  /** drain applies all waiting decisions; what was accepted is in a queue afterwards, this one's returned. */
  drain(): SimQueued[] {
    const accepted: SimQueued[] = [];
    const { consumer } = this;
    while (consumer.take()) {
      const { slot, cpu, flags } = consumer;
      if ((flags & DECISION_FLAG.WAKE_WORKER) !== 0) this.requests.wakeWorker(slot);
      else if ((flags & DECISION_FLAG.KICK) !== 0) this.kick(cpu, (flags & DECISION_FLAG.PREEMPT) !== 0);
      else {
        const queued = this.accept();
        if (queued !== undefined) accepted.push(queued);
      }
    }
    return accepted;
  }

  private kick(cpu: number, preempt: boolean): void {
    if (this.cpuSet.has(cpu)) this.requests.kick(cpu, preempt);
    else this.count('BAD_CPU');
  }

  private accept(): SimQueued | undefined {
    const { consumer } = this;
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
    if (task.owner !== OWNER.ASKED || task.word('enq') !== consumer.enq >>> 0) {
      this.count('STALE');
      return undefined;
    }
    if (task.domain !== this.id && !this.cpus.some((cpu) => task.mayUse(cpu))) {
      this.count('FOREIGN');
      const home = this.domainOf(task.domain);
      home.insert(home.decided(task, consumer));
      return undefined;
    }
    if (task.domain !== this.id) {
      this.count('HANDED');
      task.moveTo(this.id, this.domainOf(task.domain).clockNs, this.clockNs);
    }
    this.count('DECIDED');
    this.requests.answered(task);
    const queued = this.decided(task, consumer);
    this.insert(queued);
    return queued;
  }

  /**
   * undecidedKeyNs is for a task that nobody decides. Beside keys that stay what they are it begins a turn, with an
   * advantage of one slice at most.
   */
  undecidedKeyNs(task: SimTask): number {
    const sliceNs = this.defaultSliceUs * 1000;
    if (!this.keepsKeys) return task.deadlineNs(EXEC_CAP_SLICES * sliceNs);
    return Math.floor(Math.max(task.vtimeNs, this.clockNs - sliceNs) + (sliceNs * 100) / task.weight);
  }

  private decided(task: SimTask, consumer: SimDecisionConsumer): SimQueued {
    const { flags } = consumer;
    const asked = this.checkCpu(task, consumer.cpu);
    const sliceUs = clampSlice(consumer.sliceUs, this.defaultSliceUs);
    if (consumer.sliceUs !== 0 && sliceUs !== consumer.sliceUs >>> 0) this.count('SLICE_CLAMPED');
    const keyNs = clampKey(consumer.key[0], this.clockNs);
    if (keyNs !== consumer.key[0]) this.count('KEY_CLAMPED');
    task.setOwner(OWNER.DECIDED);
    task.execSinceDecisionNs = 0;
    task.wakes = 0;
    task.keepsKey = (flags & DECISION_FLAG.KEEP_KEY) !== 0;
    this.keepsKeys = task.keepsKey;
    const cpu = (flags & DECISION_FLAG.NEAR) !== 0 ? LIMIT.CPU_ANY : asked;
    const preempt = (flags & DECISION_FLAG.PREEMPT) !== 0;
    return { task, keyNs, sliceNs: sliceUs * 1000, cpu, preempt };
  }

  private checkCpu(task: SimTask, cpu: number): number {
    if (cpu === LIMIT.CPU_ANY) return cpu;
    if (!this.cpuSet.has(cpu)) {
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
