/**
 * A simulated kernel: the rings of an ordinary buffer, a virtual clock, and CPUs that execute tasks of a given behaviour.
 * The worker and policy code that runs on it is byte for byte what runs on the real one. Deterministic.
 *
 * A worker's turn takes no time here. It gets one after every event, as a parked worker would.
 */
import type { Arena } from '../shm/arena.js';
import { EVENT, LIMIT, OWNER, TASK_FLAG } from '../shm/layout.generated.js';
import { type Slot, slot } from '../shm/slot.js';
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
const MAX_TURNS = 5000;
/** Less of a slice than this is not worth giving back. */
const SLICE_REST_MIN_NS = 50_000;
const EXEC_CAP_SLICES = 100;

export class SimKernel {
  readonly arena: Arena;
  readonly domains: readonly SimDomain[];
  /** All there have been, in order of their coming. */
  readonly tasks: SimTask[] = [];
  nowNs = 0;
  /** Called before time moves on, for those who watch. */
  beforeAdvance: ((untilNs: number) => void) | undefined;
  private readonly bySlot: (SimTask | undefined)[] = [];
  private readonly freeSlots: Slot[] = [];
  private readonly nextTickNs: (number | undefined)[] = [];
  readonly cpus: readonly SimCpu[];
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
      (cpus, id) =>
        new SimDomain(
          this.arena,
          id,
          cpus,
          this.sliceUs,
          (index) => this.bySlot[index],
          (other) => this.domains[other],
          {
            // An idle CPU looks for work after every event, and every worker has its turn.
            kick: (cpu, preempt) => {
              if (preempt) this.interrupt(cpu);
            },
            wakeWorker: () => undefined,
          },
        ),
    );
    this.cpus = this.domains.flatMap((domain) => domain.cpus.map((id) => new SimCpu(this.arena, id, domain)));
    for (const cpu of this.cpus) cpu.idles();
  }

  /** attach gives a domain its worker: a function that does one batch and tells how many decisions it published. */
  attach(domain: number, turn: () => number): void {
    this.workers[domain] = turn;
  }

  /** detach takes the worker away; its tasks are then scheduled here. */
  detach(domain: number): void {
    this.workers[domain] = undefined;
  }

  /** spawn adds a task, which wakes at its start time. Slots of tasks that are gone are used again. */
  spawn(behaviour: SimBehaviour): SimTask {
    const place = this.freeSlots.pop() ?? slot(this.bySlot.length);
    const task = new SimTask(this.arena, place, behaviour, 1000 + this.tasks.length);
    task.allow(behaviour.allowedCpus, this.domains);
    this.bySlot[place] = task;
    this.tasks.push(task);
    task.vtimeNs = this.domains[task.domain].clockNs;
    this.at(behaviour.startNs ?? this.nowNs, () => {
      this.wake(task, TASK_FLAG.NEW | TASK_FLAG.WAKEUP);
    });
    return task;
  }

  /** kill ends a task wherever it is. */
  kill(task: SimTask): void {
    if (task.exited) return;
    const cpu = this.cpus.find(({ running }) => running?.task === task);
    if (cpu !== undefined) this.stop(cpu);
    this.dequeue(task);
    this.exit(task);
  }

  /** setWeight is what renice does. */
  setWeight(task: SimTask, weight: number): void {
    task.weight = weight;
    task.setWord('weight', weight);
    this.tell(task, EVENT.WEIGHT, task.word('enq'));
  }

  /** setAffinity is what taskset does: a task that waits, or runs where it may not any more, is taken out and enqueued again. */
  setAffinity(task: SimTask, allowedCpus: readonly number[]): void {
    if (task.exited) return;
    task.allow(allowedCpus, this.domains);
    const cpu = this.cpus.find(({ id, running }) => running?.task === task && !task.mayUse(id));
    if (cpu !== undefined) this.stop(cpu);
    const waits = this.dequeue(task) || cpu !== undefined;
    this.tell(task, EVENT.AFFINITY, task.word('enq'));
    if (!waits) return;
    task.beginWait(this.nowNs);
    this.ask(task, 0);
  }

  /** dequeue takes a task that waits out of wherever it does, and tells whether it did. */
  private dequeue(task: SimTask): boolean {
    const { owner } = task;
    const enq = task.word('enq');
    const domain = this.domains[task.domain];
    const isQueued = domain.queue.some((queued) => queued.task === task);
    if (owner !== OWNER.ASKED && !isQueued) return false;
    domain.remove(task);
    // Nothing is meant for this wait any more.
    task.beginWait(task.enqueuedNs);
    task.setOwner(OWNER.KERNEL);
    if (owner === OWNER.ASKED) this.tell(task, EVENT.DEQUEUE, enq);
    return true;
  }

  private tell(task: SimTask, kind: number, enq: number): void {
    if (!task.exited) this.domains[task.domain].tell(kind, task.slot, enq, task.word('generation'));
  }

  private exit(task: SimTask): void {
    this.tell(task, EVENT.EXIT, task.word('enq'));
    task.exited = true;
    task.setRunnable(0);
    task.setOwner(OWNER.FREE);
    this.freeSlots.push(task.slot);
  }

  /** run lets virtual time pass until `untilNs`. */
  run(untilNs: number): void {
    while (this.events.length > 0 && this.events[0].atNs <= untilNs) {
      const [event] = this.events.splice(0, 1);
      this.advance(event.atNs);
      event.action();
      this.settleAll();
    }
    this.advance(untilNs);
    // So that totals are those of now.
    for (const cpu of this.cpus) this.charge(cpu);
  }

  private advance(untilNs: number): void {
    if (untilNs > this.nowNs) this.beforeAdvance?.(untilNs);
    this.nowNs = untilNs;
  }

  /** at plans something. Times are whole nanoseconds, so that every step moves the clock. */
  at(timeNs: number, action: () => void): void {
    const atNs = Math.ceil(timeNs);
    let place = this.events.length;
    while (place > 0 && this.events[place - 1].atNs > atNs) place--;
    this.events.splice(place, 0, { atNs, action });
  }

  /** What one domain's worker hands over is another's to decide. */
  private settleAll(): void {
    let published = 1;
    for (let turn = 0; published > 0; turn++) {
      if (turn === MAX_TURNS) throw new Error('simulation: the domains do not settle');
      published = 0;
      for (const domain of this.domains) published += this.settle(domain);
    }
    for (const domain of this.domains) this.setTick(domain);
  }

  /** A worker that wants to run now and then gets a turn, also while nothing happens. */
  private setTick(domain: SimDomain): void {
    const { tickMs, id } = domain;
    if (tickMs === 0 || this.nextTickNs[id] !== undefined) return;
    this.nextTickNs[id] = this.nowNs + tickMs * 1e6;
    this.at(this.nextTickNs[id], () => {
      this.nextTickNs[id] = undefined;
      domain.tick();
    });
  }

  /** settle gives the worker its turns and fills idle CPUs, until nothing changes, and tells how much was published. */
  private settle(domain: SimDomain): number {
    let total = 0;
    for (let turn = 0; turn < MAX_TURNS; turn++) {
      const published = this.workers[domain.id]?.() ?? 0;
      for (const queued of domain.drain()) if (queued.preempt) this.preempt(domain, queued);
      for (const cpu of this.cpusOf(domain)) if (cpu.running === undefined) this.pick(cpu);
      const idle = this.cpusOf(domain).filter((cpu) => cpu.running === undefined);
      for (const cpu of idle) cpu.idles();
      domain.setIdle(idle.length);
      total += published;
      if (published === 0) return total;
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
    task.sleptNs = task.stoppedNs === 0 ? 0 : this.nowNs - task.stoppedNs;
    task.wakes++;
    // 0 would say that it sleeps.
    task.setRunnable(Math.max(this.nowNs, 1));
    task.execSinceWakeNs = 0;
    task.leftNs = Math.ceil(task.behaviour.runNs * (task.behaviour.vary?.() ?? 1));
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
    const keyNs = task.deadlineNs(EXEC_CAP_SLICES * sliceNs);
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
    task.startedNs = this.nowNs;
    cpu.domain.advanceClock(task.vtimeNs);
    this.resume(cpu, queued);
    this.tell(task, EVENT.RUNNING, cpu.id);
  }

  private resume(cpu: SimCpu, queued: SimQueued): void {
    cpu.running = queued;
    cpu.startedNs = this.nowNs;
    cpu.chargedNs = this.nowNs;
    cpu.show();
    this.extend(cpu, queued);
  }

  /** extend gives what runs a slice from now on. */
  private extend(cpu: SimCpu, queued: SimQueued): void {
    const start = ++cpu.starts;
    cpu.sliceEndsNs = this.nowNs + queued.sliceNs;
    this.at(Math.min(cpu.sliceEndsNs, this.nowNs + queued.task.leftNs), () => {
      if (cpu.starts === start) this.sliceEnds(cpu, queued);
    });
  }

  private sliceEnds(cpu: SimCpu, queued: SimQueued): void {
    const { task } = queued;
    this.charge(cpu);
    const goesOn = task.leftNs > 0;
    if (goesOn && !this.isWanted(cpu)) {
      cpu.domain.count('REFILL');
      this.extend(cpu, { ...queued, sliceNs: this.sliceUs * 1000 });
      return;
    }
    this.stop(cpu);
    if (goesOn) {
      this.pick(cpu);
      task.beginWait(this.nowNs);
      this.ask(task, 0);
      return;
    }
    const { sleepNs, vary } = task.behaviour;
    if (sleepNs === undefined) {
      this.exit(task);
      return;
    }
    task.setRunnable(0);
    this.at(this.nowNs + sleepNs * (vary?.() ?? 1), () => {
      this.wake(task, TASK_FLAG.WAKEUP);
    });
  }

  private isWanted(cpu: SimCpu): boolean {
    return cpu.domain.hasFor(cpu.id);
  }

  /** interrupt is a kick that preempts: the CPU takes what is first, and what ran goes on later with the rest of its slice. */
  private interrupt(id: number): void {
    const cpu = this.cpus.find((other) => other.id === id);
    const queued = cpu?.running;
    if (cpu === undefined || queued === undefined || !this.isWanted(cpu)) return;
    const { task } = queued;
    const { domain } = cpu;
    const restNs = cpu.sliceEndsNs - this.nowNs;
    this.stop(cpu);
    this.pick(cpu);
    task.beginWait(this.nowNs);
    if (restNs <= SLICE_REST_MIN_NS) {
      this.ask(task, 0);
      return;
    }
    domain.count('RESUMED');
    const capNs = EXEC_CAP_SLICES * this.sliceUs * 1000;
    const keyNs = task.keepsKey ? queued.keyNs : task.deadlineNs(capNs);
    domain.insert({ ...queued, keyNs, sliceNs: restNs });
  }

  private stop(cpu: SimCpu): void {
    const task = cpu.running?.task;
    if (task === undefined) return;
    this.charge(cpu);
    task.stoppedNs = this.nowNs;
    cpu.running = undefined;
    cpu.starts++;
    cpu.show();
    this.tell(task, EVENT.STOPPING, cpu.id);
  }

  private charge(cpu: SimCpu): void {
    cpu.running?.task.charge(this.nowNs - cpu.chargedNs);
    cpu.chargedNs = this.nowNs;
  }

  /** preempt takes the CPU with the latest deadline, if that is later, unless one is idle. */
  private preempt(domain: SimDomain, queued: SimQueued): void {
    const allowed = this.cpusOf(domain).filter((cpu) => queued.task.mayUse(cpu.id));
    if (allowed.length === 0 || allowed.some((cpu) => cpu.running === undefined)) return;
    const latest = allowed.reduce((a, b) => (b.keyAt(this.nowNs) > a.keyAt(this.nowNs) ? b : a));
    if (latest.keyAt(this.nowNs) <= queued.keyNs) return;
    domain.count('PREEMPTIONS');
    this.interrupt(latest.id);
  }
}
