/**
 * A simulated kernel: the rings of an ordinary buffer, a virtual clock, and CPUs that execute tasks of a given behaviour.
 * The worker and policy code that runs on it is byte for byte what runs on the real one. Deterministic.
 *
 * Unless `worker` says how long a worker takes, its turn takes no time, and it gets one after every event.
 */
import type { Arena } from '../shm/arena.js';
import { DOMAIN_STATE, EVENT, HEADER, OWNER, TASK_FLAG } from '../shm/layout.generated.js';
import { type Slot, slot } from '../shm/slot.js';
import { SimCpu } from './sim-cpu.js';
import { SimDispatch } from './sim-dispatch.js';
import { SimDomain, type SimRequests } from './sim-domain.js';
import { SimEvents } from './sim-events.js';
import { setUpSimMemory } from './sim-memory.js';
import { SimSettle } from './sim-settle.js';
import { type SimBehaviour, SimTask } from './sim-task.js';
import { SimWatch, WATCH_NS } from './sim-watch.js';
import { SimWorker, type SimWorkerTimes } from './sim-worker.js';

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
  /** How long workers take, and the CPU of each, which has no time for tasks meanwhile. */
  readonly worker?: SimWorkerTimes & { readonly cpus: readonly number[] };
  /** For each domain the others, nearest first: tasks that wake and CPUs that idle then look there. */
  readonly near?: readonly (readonly number[])[];
  /** A CPU about to idle takes tasks of other domains that waited for longer. */
  readonly stealUs?: number;
  /** Watch over workers and waits, as bpf/watch.h does. Needs `worker`. */
  readonly stallMs?: number;
  /** Tasks bound to one CPU are queued for it without asking. */
  readonly boundInKernel?: boolean;
}

/** There is no slot for another task. */
export class NoSlotError extends Error {
  override name = 'NoSlotError';
}

export class SimKernel {
  readonly arena: Arena;
  readonly domains: readonly SimDomain[];
  /** All there have been, in order of their coming. */
  readonly tasks: SimTask[] = [];
  /** Those that have not exited, by slot. */
  readonly living: (SimTask | undefined)[] = [];
  nrLiving = 0;
  nowNs = 0;
  /** How often a CPU began to run a task. */
  switches = 0;
  /** From when on counters and totals are. */
  countedFromNs = 0;
  /** Called before time moves on, for those who watch. */
  beforeAdvance: ((untilNs: number) => void) | undefined;
  /** Called when a task begins to run; `wakeNs` if it woke since it last ran. */
  onBegin: ((task: SimTask, waitNs: number, wakeNs: number | undefined) => void) | undefined;
  readonly cpus: readonly SimCpu[];
  readonly sliceUs: number;
  readonly stealUs: number;
  readonly near: readonly (readonly number[])[] | undefined;
  readonly dispatch: SimDispatch;
  /** Of each domain, if workers take time. */
  readonly timedWorkers: readonly SimWorker[] = [];
  private readonly bySlot: (SimTask | undefined)[] = [];
  private readonly freeSlots: Slot[] = [];
  private readonly events = new SimEvents();
  private readonly settle = new SimSettle(this);

  constructor(private readonly options: SimOptions) {
    const { worker, stallMs } = options;
    this.sliceUs = options.sliceUs ?? 5000;
    this.stealUs = options.stealUs ?? 0;
    this.near = options.near;
    this.arena = setUpSimMemory({
      domains: options.domains.map((cpus) => ({ cpus })),
      nrSlots: options.nrSlots ?? 256,
      taskRingSize: options.taskRingSize ?? 256,
      decisionRingSize: options.decisionRingSize ?? 256,
    });
    const taskOf = (index: number): SimTask | undefined => this.bySlot[index];
    const domainOf = (id: number): SimDomain => this.domains[id];
    const requests = this.requests();
    this.domains = options.domains.map(
      (cpus, id) => new SimDomain(this.arena, id, cpus, this.sliceUs, taskOf, domainOf, requests),
    );
    this.cpus = this.domains.flatMap((domain) => domain.cpus.map((id) => new SimCpu(this.arena, id, domain)));
    for (const cpu of this.cpus) {
      cpu.domain.members.push(cpu);
      cpu.idles();
    }
    this.dispatch = new SimDispatch(this, this.cpus);
    if (worker === undefined) return;
    this.timedWorkers = this.domains.map((domain) => new SimWorker(this, domain, worker));
    if (stallMs !== undefined) this.watch(new SimWatch(this, stallMs * 1e6));
  }

  private requests(): SimRequests {
    return {
      // An idle CPU looks for work after every event.
      kick: (cpu, preempt) => {
        if (preempt) this.dispatch.interrupt(this.dispatch.cpu(cpu));
      },
      wakeWorker: (domain) => {
        if (domain >= 0 && domain < this.domains.length) this.touch(this.domains[domain]);
      },
      touch: (domain) => {
        this.touch(domain);
      },
      answered: (task) => {
        this.domains[task.domain].members[0]?.record('ASK', this.nowNs - task.enqueuedNs);
      },
    };
  }

  private watch(watch: SimWatch): void {
    const look = (): void => {
      watch.look();
      this.at(this.nowNs + WATCH_NS, look);
    };
    this.at(WATCH_NS, look);
  }

  /** attach gives a domain its worker: a function that does one batch and tells how many decisions it published. */
  attach(domain: number, turn: () => number): void {
    this.settle.turns[domain] = turn;
    const { timedWorkers } = this;
    timedWorkers.at(domain)?.attach(turn);
    const place = this.domains[domain];
    // It is known to be there when it has moved.
    place.setWord('progress', place.word('progress') + 1);
    if (this.options.stallMs === undefined || this.nowNs === 0) place.goTo('ACTIVE');
    this.touch(place);
  }

  /** detach takes the worker away; its tasks are then scheduled here. */
  detach(domain: number): void {
    this.settle.turns[domain] = undefined;
    this.timedWorkers.at(domain)?.attach(undefined);
    this.domains[domain].goTo('ABSENT');
  }

  /**
   * spawn adds a task, which wakes at its start time. Slots of tasks that are gone are used again.
   *
   * @throws NoSlotError when all are in use
   */
  spawn(behaviour: SimBehaviour): SimTask {
    const place = this.freeSlots.pop() ?? slot(this.bySlot.length);
    if (place >= this.arena.nrSlots) {
      throw new NoSlotError(`more than ${this.arena.nrSlots} tasks at one time`);
    }
    const task = new SimTask(this.arena, place, behaviour, 1000 + this.tasks.length);
    task.allow(behaviour.allowedCpus, this.domains);
    this.bySlot[place] = task;
    this.living[place] = task;
    this.countLiving(1);
    this.tasks.push(task);
    task.vtimeNs = this.domains[task.domain].clockNs;
    this.at(behaviour.startNs ?? this.nowNs, () => {
      this.wake(task, TASK_FLAG.NEW | TASK_FLAG.WAKEUP);
    });
    return task;
  }

  /** wakeUp wakes a task that waits to be woken, after the event under way; one that does not will not wait the next time. */
  wakeUp(task: SimTask): void {
    task.isCalled = !task.waits;
    if (!task.waits) return;
    task.waits = false;
    this.at(this.nowNs, () => {
      this.wake(task, TASK_FLAG.WAKEUP);
    });
  }

  /** kill ends a task wherever it is. */
  kill(task: SimTask): void {
    if (task.exited) return;
    const cpu = this.cpus.find(({ running }) => running?.task === task);
    if (cpu !== undefined) this.dispatch.stop(cpu);
    this.dequeue(task);
    this.exit(task);
  }

  /** setWeight is what renice does. */
  setWeight(task: SimTask, weight: number): void {
    task.weight = weight;
    task.setWord('weight', weight);
    this.tell(task, EVENT.WEIGHT, task.word('enq'));
  }

  /**
   * setAffinity is what taskset does: a task that waits, or runs where it may not any more, is taken out and enqueued
   * again, in another domain if it may not run in its own. Without CPUs it may use all.
   */
  setAffinity(task: SimTask, allowedCpus: readonly number[] | undefined): void {
    if (task.exited) return;
    task.allow(allowedCpus, this.domains);
    const cpu = this.cpus.find(({ id, running }) => running?.task === task && !task.mayUse(id));
    if (cpu !== undefined) this.dispatch.stop(cpu);
    const waits = this.dequeue(task) || cpu !== undefined;
    this.tell(task, EVENT.AFFINITY, task.word('enq'));
    this.bringHome(task);
    if (waits) this.requeue(task);
  }

  private bringHome(task: SimTask): void {
    const from = this.domains[task.domain];
    const mayRunIn = ({ cpus }: SimDomain): boolean => cpus.some((cpu) => task.mayUse(cpu));
    const to = mayRunIn(from) ? from : this.domains.find(mayRunIn);
    if (to !== undefined && to !== from) task.moveTo(to.id, from.clockNs, to.clockNs);
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

  tell(task: SimTask, kind: number, enq: number): void {
    if (!task.exited) this.domains[task.domain].tell(kind, task.slot, enq, task.word('generation'));
  }

  private exit(task: SimTask): void {
    this.tell(task, EVENT.EXIT, task.word('enq'));
    task.exited = true;
    task.setRunnable(0);
    task.setOwner(OWNER.FREE);
    this.living[task.slot] = undefined;
    this.freeSlots.push(task.slot);
    this.countLiving(-1);
  }

  private countLiving(change: number): void {
    this.nrLiving += change;
    this.arena.words[HEADER.word.slotsUsed] = this.nrLiving;
  }

  /** run lets virtual time pass until `untilNs`, or until what is asked after every event says so. */
  run(untilNs: number, isOver?: () => boolean): void {
    let over = false;
    while (!over && this.events.nextNs <= untilNs) {
      const event = this.events.pop();
      if (event === undefined) break;
      this.advance(event.atNs);
      event.action();
      this.settle.all();
      over = isOver?.() === true;
    }
    if (!over) this.advance(untilNs);
    // So that totals are those of now.
    for (const cpu of this.cpus) cpu.charge(this.nowNs);
  }

  /** countAnew sets every counter, histogram and total to 0: they are of the time from now on. */
  countAnew(): void {
    this.countedFromNs = this.nowNs;
    this.switches = 0;
    for (const cpu of this.cpus) {
      cpu.charge(this.nowNs);
      cpu.countAnew();
    }
    for (const domain of this.domains) domain.countAnew();
    for (const worker of this.timedWorkers) worker.busyNs = 0;
    for (const task of this.tasks) task.cpuNs = 0;
  }

  private advance(untilNs: number): void {
    if (untilNs > this.nowNs) this.beforeAdvance?.(untilNs);
    this.nowNs = untilNs;
  }

  /** at plans something. Times are whole nanoseconds, so that every step moves the clock. */
  at(timeNs: number, action: () => void): void {
    this.events.push(Math.ceil(timeNs), action);
  }

  touch(domain: SimDomain): void {
    this.settle.touch(domain);
  }

  /** apply does what the domain's decision ring says. */
  apply(domain: SimDomain): void {
    for (const queued of domain.drain()) if (queued.preempt) this.dispatch.preempt(domain, queued);
  }

  takeCpu(domain: SimDomain, forNs: number): void {
    const id = this.options.worker?.cpus[domain.id];
    if (id !== undefined) this.dispatch.takeAway(this.dispatch.cpu(id), forNs);
  }

  private wake(task: SimTask, flags: number): void {
    if (task.exited) return;
    const { options, dispatch, nowNs } = this;
    const domain = this.domains[task.domain];
    task.wokenNs = nowNs;
    task.isWoken = true;
    task.sleptNs = task.stoppedNs === 0 ? 0 : nowNs - task.stoppedNs;
    task.wakes++;
    // 0 would say that it sleeps.
    task.setRunnable(Math.max(nowNs, 1));
    task.execSinceWakeNs = 0;
    task.leftNs = task.runNs();
    task.vtimeNs = Math.max(task.vtimeNs, domain.clockNs - this.sliceUs * 1000);
    task.beginWait(nowNs);
    if (options.fastPath === true && dispatch.runOnIdle(task)) return;
    if (options.boundInKernel === true && task.isBound) {
      this.queueInKernel(task, 'BOUND', true);
      return;
    }
    const standing = options.askAlways === true ? undefined : domain.standing(task, nowNs);
    if (standing !== undefined) {
      domain.count('STANDING');
      domain.insert(standing);
      if (standing.preempt) dispatch.preempt(domain, standing);
      return;
    }
    // As the kernel side: an order was looked at, and did not cover this wake-up.
    const ended = options.askAlways !== true && task.orderSerial !== 0;
    this.ask(task, ended ? flags | TASK_FLAG.ORDER_ENDED : flags);
  }

  /** requeue opens a new wait for a task that wants to go on. */
  requeue(task: SimTask): void {
    task.beginWait(this.nowNs);
    if (this.options.boundInKernel === true && task.isBound) this.queueInKernel(task, 'BOUND', false);
    else this.ask(task, 0);
  }

  /** ask hands the task to the worker, or queues it here when that is not possible. */
  private ask(task: SimTask, flags: number): void {
    const domain = this.domains[task.domain];
    const isWakeup = (flags & TASK_FLAG.WAKEUP) !== 0;
    task.show();
    if (domain.state !== DOMAIN_STATE.ACTIVE) {
      this.queueInKernel(task, domain.state === DOMAIN_STATE.FALLBACK ? 'FALLBACK' : 'ABSENT', isWakeup);
      return;
    }
    task.setOwner(OWNER.ASKED);
    if (domain.push(task, flags)) {
      domain.count('ASKED');
      return;
    }
    task.setOwner(OWNER.KERNEL);
    this.queueInKernel(task, 'RING_FULL', false);
  }

  private queueInKernel(
    task: SimTask,
    why: 'BOUND' | 'FALLBACK' | 'ABSENT' | 'RING_FULL',
    mayPreempt: boolean,
  ): void {
    const domain = this.domains[task.domain];
    domain.count(why);
    const queued = this.dispatch.inKernel(task);
    domain.insert(queued);
    if (mayPreempt) this.dispatch.preempt(domain, queued);
  }

  /** stepDone asks a task what it does next; true when it runs on. What it does instead, `leave` sees to. */
  stepDone(task: SimTask): boolean {
    const step = task.nextStep();
    if (step.kind === 'run') task.leftNs = Math.max(1, Math.ceil(step.ns));
    else task.leaving = step;
    return step.kind === 'run';
  }

  leave(task: SimTask): void {
    const { leaving } = task;
    switch (leaving.kind) {
      case 'exit':
        this.exit(task);
        return;
      case 'wait':
        task.setRunnable(0);
        task.waits = true;
        return;
      case 'sleep':
        task.setRunnable(0);
        this.at(this.nowNs + leaving.ns, () => {
          this.wake(task, TASK_FLAG.WAKEUP);
        });
    }
  }

  began(task: SimTask, waitNs: number, wakeNs: number | undefined): void {
    this.switches++;
    this.onBegin?.(task, waitNs, wakeNs);
  }
}
