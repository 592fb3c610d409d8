/**
 * A simulated kernel: the rings of an ordinary buffer, a virtual clock, and CPUs that execute tasks of a given behaviour.
 * The worker and policy code that runs on it is byte for byte what runs on the real one. Deterministic.
 *
 * A worker's turn takes no time here. It gets one after every event, as a parked worker would.
 */
import type { Arena } from '../shm/arena.js';
import { DOMAIN, EVENT, LIMIT, OWNER, TASK_FLAG } from '../shm/layout.generated.js';
import { slot } from '../shm/slot.js';
import { SimCpu } from './sim-cpu.js';
import { SimDomain, type SimQueued } from './sim-domain.js';
import { setUpSimMemory } from './sim-memory.js';
import { type SimBehaviour, SimTask } from './sim-task.js';

export interface SimOptions {
  /** The CPUs of each domain. */
  readonly domains: readonly (readonly number[])[];
  readonly nrSlots?: number;
  readonly taskRingSize?: number;
  readonly decisionRingSize?: number;
  readonly sliceUs?: number;
  /** Hand a waking task an idle CPU without asking. */
  readonly fastPath?: boolean;
  /** Ask for every wake-up, standing orders or not. */
  readonly askAlways?: boolean;
}

interface SimEvent {
  readonly atNs: number;
  readonly action: () => void;
}

/** Turns a worker may take after one event; more means that it and the kernel chase each other. */
const MAX_TURNS = 10_000;

export class SimKernel {
  readonly arena: Arena;
  readonly domains: readonly SimDomain[];
  /** All there ever were. */
  readonly tasks: SimTask[] = [];
  readonly cpus: readonly SimCpu[];
  nowNs = 0;
  /** Called before time moves on from `nowNs`, for those who watch. */
  beforeAdvance: ((untilNs: number) => void) | undefined;
  private readonly bySlot: SimTask[] = [];
  private readonly freeSlots: number[] = [];
  private readonly events: SimEvent[] = [];
  private readonly workers: ((() => number) | undefined)[] = [];
  private readonly sliceUs: number;

  constructor(private readonly options: SimOptions) {
    this.sliceUs = options.sliceUs ?? 5000;
    this.arena = setUpSimMemory({
      domains: options.domains.map((cpus) => ({ cpus })),
      nrSlots: options.nrSlots ?? 256,
      taskRingSize: options.taskRingSize ?? 256,
      decisionRingSize: options.decisionRingSize ?? 256,
    });
    this.domains = options.domains.map(
      (cpus, id) => new SimDomain(this.arena, id, cpus, this.sliceUs, (index) => this.bySlot[index]),
    );
    this.cpus = this.domains.flatMap((domain) =>
      domain.cpus.map((id) => new SimCpu(this.arena, id, domain)),
    );
  }

  /** attach gives a domain its worker: a function that does one batch and tells how many decisions it published. */
  attach(domain: number, turn: () => number): void {
    this.workers[domain] = turn;
    this.tickLater(domain, turn);
  }

  private tickLater(domain: number, turn: () => number): void {
    const { words } = this.arena;
    const at = this.domains[domain].producer.place.domainWord;
    const tickMs = words[at + DOMAIN.word.tickMs];
    if (tickMs === 0) return;
    this.at(this.nowNs + tickMs * 1e6, () => {
      if (this.workers[domain] !== turn) return;
      words[at + DOMAIN.word.ticks]++;
      this.tickLater(domain, turn);
    });
  }

  /** detach takes the worker away; its tasks are then scheduled here. */
  detach(domain: number): void {
    this.workers[domain] = undefined;
  }

  /** spawn adds a task, which wakes at its start time. The slot left last is used first. @throws RangeError without one */
  spawn(behaviour: SimBehaviour): SimTask {
    const at = this.freeSlots.pop() ?? this.bySlot.length;
    if (at >= this.arena.nrSlots) throw new RangeError('simulation: no slot is free');
    const task = new SimTask(this.arena, slot(at), behaviour, 1000 + this.tasks.length);
    this.tasks.push(task);
    this.bySlot[at] = task;
    task.vtimeNs = this.domains[task.domain].clockNs;
    this.at(behaviour.startNs ?? this.nowNs, () => {
      this.wake(task, TASK_FLAG.NEW | TASK_FLAG.WAKEUP);
    });
    return task;
  }

  /** exit ends a task, whatever it does now. */
  exit(task: SimTask): void {
    if (task.exited) return;
    this.takeAway(task);
    this.bury(task);
  }

  /** setWeight changes a task's weight, as a new nice value does. */
  setWeight(task: SimTask, weight: number): void {
    if (task.exited) return;
    task.weight = weight;
    task.setWord('weight', weight);
    this.domains[task.domain].tell(EVENT.WEIGHT, task);
  }

  /** setAffinity changes the CPUs a task may use. One that waits is taken out and asked about again, as the kernel does. */
  setAffinity(task: SimTask, allowedCpus: readonly number[]): void {
    if (task.exited) return;
    task.allowedCpus = allowedCpus;
    const isWaiting = task.isRunnable && !this.cpus.some(({ running }) => running?.task === task);
    const isMisplaced = this.cpus.some(({ id, running }) => running?.task === task && !task.mayUse(id));
    if (isWaiting || isMisplaced) this.takeAway(task);
    this.domains[task.domain].tell(EVENT.AFFINITY, task);
    if (!isWaiting && !isMisplaced) return;
    task.isRunnable = true;
    task.beginWait(this.nowNs);
    this.ask(task, 0);
  }

  /** Takes a task from its CPU, the queue, or the worker. */
  private takeAway(task: SimTask): void {
    const domain = this.domains[task.domain];
    const cpu = this.cpus.find(({ running }) => running?.task === task);
    if (cpu !== undefined) this.stop(cpu);
    domain.remove(task);
    if (task.owner === OWNER.ASKED) {
      domain.tell(EVENT.DEQUEUE, task, task.word('enq'));
      // Its wait is over: a decision about it comes too late.
      task.setWord('enq', task.word('enq') + 1);
      task.setOwner(OWNER.KERNEL);
    }
    task.isRunnable = false;
  }

  private bury(task: SimTask): void {
    task.exited = true;
    task.isRunnable = false;
    this.domains[task.domain].tell(EVENT.EXIT, task);
    this.freeSlots.push(task.slot);
  }

  /** run lets virtual time pass until `untilNs`. */
  run(untilNs: number): void {
    while (this.events.length > 0 && this.events[0].atNs <= untilNs) {
      const [event] = this.events.splice(0, 1);
      if (event.atNs > this.nowNs) this.beforeAdvance?.(event.atNs);
      this.nowNs = event.atNs;
      event.action();
      for (const domain of this.domains) this.settle(domain);
    }
    if (untilNs > this.nowNs) this.beforeAdvance?.(untilNs);
    this.nowNs = untilNs;
  }

  /** at plans something for a time that has not passed. */
  at(atNs: number, action: () => void): void {
    let place = this.events.length;
    while (place > 0 && this.events[place - 1].atNs > atNs) place--;
    this.events.splice(place, 0, { atNs, action });
  }

  /** settle gives the worker its turns and fills idle CPUs, until nothing changes. */
  private settle(domain: SimDomain): void {
    for (let turn = 0; turn < MAX_TURNS; turn++) {
      const published = this.workers[domain.id]?.() ?? 0;
      for (const queued of domain.drain()) if (queued.preempt) this.preempt(domain, queued);
      for (const kicked of domain.kicked.splice(0)) this.interrupt(this.cpusOf(domain), kicked);
      for (const cpu of this.cpusOf(domain)) if (cpu.running === undefined) this.pick(cpu);
      domain.setIdle(this.cpusOf(domain).filter((cpu) => cpu.running === undefined).length);
      if (published === 0) return;
    }
    throw new Error(`simulation: domain ${domain.id} does not settle`);
  }

  private cpusOf(domain: SimDomain): SimCpu[] {
    return this.cpus.filter((cpu) => cpu.domain === domain);
  }

  private wake(task: SimTask, flags: number): void {
    if (task.exited) return;
    const domain = this.domains[task.domain];
    task.wokenNs = this.nowNs;
    task.isRunnable = true;
    task.execSinceWakeNs = 0;
    task.leftNs = task.behaviour.runNs * (task.behaviour.vary?.() ?? 1);
    task.vtimeNs = Math.max(task.vtimeNs, domain.clockNs - this.sliceUs * 1000);
    task.beginWait(this.nowNs);
    if (this.options.fastPath === true && domain.queue.length === 0) {
      const idle = this.cpusOf(domain).find((cpu) => cpu.running === undefined && task.mayUse(cpu.id));
      if (idle !== undefined) {
        domain.count('IDLE');
        this.start(idle, this.inKernel(task));
        return;
      }
    }
    const standing = this.options.askAlways === true ? undefined : domain.standing(task, this.nowNs);
    if (standing !== undefined) {
      domain.count('STANDING');
      domain.insert(standing);
      if (standing.preempt) this.preempt(domain, standing);
      return;
    }
    // As the kernel side: an order was looked at, and did not cover this wake-up.
    const ended = this.options.askAlways !== true && task.orderSerial !== 0;
    this.ask(task, ended ? flags | TASK_FLAG.ORDER_ENDED : flags);
  }

  /** ask hands the task to the worker, or queues it here when that is not possible. */
  private ask(task: SimTask, flags: number): void {
    const domain = this.domains[task.domain];
    task.show();
    task.setOwner(OWNER.ASKED);
    if (this.workers[domain.id] !== undefined && domain.producer.push(task.slot, flags)) {
      domain.count('ASKED');
      return;
    }
    domain.count(this.workers[domain.id] === undefined ? 'ABSENT' : 'RING_FULL');
    task.setOwner(OWNER.KERNEL);
    domain.insert(this.inKernel(task));
  }

  private inKernel(task: SimTask): SimQueued {
    const sliceNs = this.sliceUs * 1000;
    const keyNs = task.deadlineNs(100 * sliceNs);
    return { task, keyNs, sliceNs, cpu: LIMIT.CPU_ANY, preempt: false };
  }

  private pick(cpu: SimCpu): void {
    const queued = cpu.domain.next(cpu.id);
    if (queued !== undefined) this.start(cpu, queued);
  }

  private start(cpu: SimCpu, queued: SimQueued): void {
    const { task } = queued;
    task.setOwner(OWNER.KERNEL);
    task.setWord('cpu', cpu.id);
    task.runs++;
    task.waitsNs.push(this.nowNs - task.enqueuedNs);
    cpu.domain.tell(EVENT.RUNNING, task, cpu.id);
    cpu.domain.advanceClock(task.vtimeNs);
    this.resume(cpu, queued);
  }

  private resume(cpu: SimCpu, queued: SimQueued): void {
    cpu.running = queued;
    cpu.startedNs = this.nowNs;
    cpu.show();
    const start = ++cpu.starts;
    this.at(this.nowNs + Math.min(queued.sliceNs, queued.task.leftNs), () => {
      if (cpu.starts === start) this.sliceEnds(cpu, queued);
    });
  }

  private sliceEnds(cpu: SimCpu, queued: SimQueued): void {
    const { task } = queued;
    this.stop(cpu);
    if (task.leftNs <= 0) {
      const { sleepNs, vary } = task.behaviour;
      if (sleepNs === undefined) {
        this.bury(task);
        return;
      }
      task.isRunnable = false;
      this.at(this.nowNs + sleepNs * (vary?.() ?? 1), () => {
        this.wake(task, TASK_FLAG.WAKEUP);
      });
    } else if (cpu.domain.queue.length === 0) {
      cpu.domain.count('REFILL');
      this.resume(cpu, { ...queued, sliceNs: this.sliceUs * 1000 });
    } else {
      task.beginWait(this.nowNs);
      this.ask(task, 0);
    }
  }

  private stop(cpu: SimCpu): void {
    const task = cpu.running?.task;
    cpu.running = undefined;
    cpu.starts++;
    if (task === undefined) return;
    task.charge(this.nowNs - cpu.startedNs);
    cpu.startedNs = this.nowNs;
    cpu.show();
    cpu.domain.tell(EVENT.STOPPING, task, cpu.id);
  }

  /** preempt takes the CPU with the latest deadline, if that is later, unless one is idle; or the one that was decided. */
  private preempt(domain: SimDomain, queued: SimQueued): void {
    if (queued.cpu !== LIMIT.CPU_ANY) {
      this.interrupt(this.cpusOf(domain), queued.cpu);
      return;
    }
    const allowed = this.cpusOf(domain).filter((cpu) => queued.task.mayUse(cpu.id));
    if (allowed.length === 0 || allowed.some((cpu) => cpu.running === undefined)) return;
    const keyOf = (cpu: SimCpu): number => cpu.running?.keyNs ?? -Infinity;
    const latest = allowed.reduce((a, b) => (keyOf(b) > keyOf(a) ? b : a));
    if (keyOf(latest) <= queued.keyNs) return;
    domain.count('PREEMPTIONS');
    this.interrupt([latest], latest.id);
  }

  /** interrupt stops what runs on a CPU; it waits for the rest of its slice. */
  private interrupt(cpus: readonly SimCpu[], id: number): void {
    const cpu = cpus.find((candidate) => candidate.id === id);
    const running = cpu?.running;
    if (cpu === undefined || running === undefined) return;
    const leftNs = running.sliceNs - (this.nowNs - cpu.startedNs);
    cpu.domain.count('RESUMED');
    this.stop(cpu);
    running.task.beginWait(this.nowNs);
    cpu.domain.insert({ ...running, sliceNs: Math.max(leftNs, 1) });
  }
}
