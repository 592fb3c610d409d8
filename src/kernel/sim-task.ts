/** A task of the simulated kernel: a behaviour, and the slot it shows. */
import { type Arena, writeU64 } from '../shm/arena.js';
import { OWNER, SLOT } from '../shm/layout.generated.js';
import type { Slot } from '../shm/slot.js';

/** SimStep is what a task does next. It waits until somebody calls {@link SimKernel.wakeUp}. */
export type SimStep =
  | { readonly kind: 'run'; readonly ns: number }
  | { readonly kind: 'sleep'; readonly ns: number }
  | { readonly kind: 'wait' }
  | { readonly kind: 'exit' };

/** What a wake-up costs a task that then finds nothing to do. */
const LOOK_NS = 1000;

/** SimBehaviour: run for `runNs`, sleep for `sleepNs`, and so on for ever; or what `next` says. */
export interface SimBehaviour {
  readonly name?: string;
  /** 100 is nice 0. */
  readonly weight?: number;
  readonly domain?: number;
  /** Infinity never sleeps. */
  readonly runNs: number;
  /** Both times are multiplied with what this returns, anew each time; 1 without it. */
  readonly vary?: () => number;
  readonly sleepNs?: number;
  /** When it wakes for the first time. */
  readonly startNs?: number;
  /** CPUs it may use; all of its domain otherwise. */
  readonly allowedCpus?: readonly number[];
  /** Asked at its start and after each step; `runNs` and the like then mean nothing. It may spawn and wake other tasks. */
  readonly next?: (task: SimTask) => SimStep;
  /** Those who watch may sort by it. */
  readonly group?: number;
}

/** SimTask is one task. The simulated kernel changes it; tests read its totals. */
export class SimTask {
  vtimeNs = 0;
  execSinceWakeNs = 0;
  execSinceDecisionNs = 0;
  leftNs: number;
  enqueuedNs = 0;
  wokenNs = 0;
  startedNs = 0;
  stoppedNs = 0;
  sleptNs = 0;
  wakes = 0;
  /** Which standing order it used last, how often, and when that ends. */
  orderSerial = 0;
  orderWakes = 0;
  /** What its last decision said. */
  keepsKey = false;
  exited = false;
  /** It has woken, and not yet run. */
  isWoken = false;
  /** What it stops for. */
  leaving: Exclude<SimStep, { readonly kind: 'run' }> = { kind: 'exit' };
  /** It sleeps until somebody wakes it up. */
  waits = false;
  /** Somebody did before it waited. */
  isCalled = false;
  /** Where it ran last; -1 before it did. */
  ranDomain = -1;
  private runnable = false;
  /** The domain whose clock its virtual time is in. */
  domain: number;
  weight: number;
  private allowedCpus: ReadonlySet<number> | undefined;
  private following: SimStep | undefined;

  /** Totals. */
  cpuNs = 0;
  runs = 0;
  readonly waitsNs: number[] = [];

  readonly name: string;
  private readonly at: number;

  constructor(
    private readonly arena: Arena,
    readonly slot: Slot,
    readonly behaviour: SimBehaviour,
    pid: number,
  ) {
    this.name = behaviour.name ?? `task${slot}`;
    this.weight = behaviour.weight ?? 100;
    this.domain = behaviour.domain ?? 0;
    this.leftNs = behaviour.runNs;
    this.at = arena.slotsWord + slot * SLOT.words;
    const generation = (this.word('generation') + 1) & 0xffff;
    this.setWord('generation', generation);
    this.setWord('pid', pid);
    this.setWord('tgid', pid);
    this.setWord('weight', this.weight);
    this.setWord('domain', this.domain);
    this.setRunnable(0);
    this.setWord('numaNode', 0xffffffff);
    arena.words[this.at + SLOT.word.order] = 0;
    this.setComm(this.name);
    this.setOwner(OWNER.KERNEL);
  }

  /** setComm is what execve() does to the name that policies see. */
  setComm(comm: string): void {
    const bytes = Buffer.from(this.arena.words.buffer, this.at * 4 + SLOT.byte.comm, 16);
    bytes.fill(0).write(comm.slice(0, 15));
  }

  /** nextStep is what follows what it has done. Who was woken before it waits does not wait. */
  nextStep(): SimStep {
    const step = this.plannedStep();
    if (step.kind !== 'wait' || !this.isCalled) return step;
    this.isCalled = false;
    return this.nextStep();
  }

  private plannedStep(): SimStep {
    const { behaviour, following } = this;
    this.following = undefined;
    if (following !== undefined) return following;
    if (behaviour.next !== undefined) return behaviour.next(this);
    const { sleepNs, vary } = behaviour;
    return sleepNs === undefined ? { kind: 'exit' } : { kind: 'sleep', ns: sleepNs * (vary?.() ?? 1) };
  }

  /** runNs is how long it runs now that it has woken. */
  runNs(): number {
    const { behaviour } = this;
    if (behaviour.next === undefined) return Math.ceil(behaviour.runNs * (behaviour.vary?.() ?? 1));
    const step = this.nextStep();
    if (step.kind === 'run') return Math.ceil(step.ns);
    this.following = step;
    return LOOK_NS;
  }

  word(field: keyof typeof SLOT.word): number {
    return this.arena.words[this.at + SLOT.word[field]];
  }

  setWord(field: keyof typeof SLOT.word, value: number): void {
    this.arena.words[this.at + SLOT.word[field]] = value;
  }

  get owner(): number {
    return this.word('owner');
  }

  setOwner(owner: number): void {
    this.setWord('owner', owner);
  }

  mayUse(cpu: number): boolean {
    return this.allowedCpus?.has(cpu) ?? true;
  }

  /** It may run on one CPU only. */
  get isBound(): boolean {
    return this.allowedCpus?.size === 1;
  }

  /** allow sets the CPUs it may use, and shows the domains they are in. */
  allow(cpus: readonly number[] | undefined, domains: readonly { readonly cpus: readonly number[] }[]): void {
    this.allowedCpus = cpus === undefined ? undefined : new Set(cpus);
    domains.forEach((domain, id) => {
      const at = this.at + SLOT.word.allowedDomains + (id >> 5);
      const bit = 1 << (id & 31);
      if (domain.cpus.some((cpu) => this.mayUse(cpu))) this.arena.words[at] |= bit;
      else this.arena.words[at] &= ~bit;
    });
  }

  /** moveTo brings it into another domain: it keeps its lag, not its virtual time. */
  moveTo(domain: number, fromClockNs: number, toClockNs: number): void {
    this.domain = domain;
    this.vtimeNs = Math.max(0, toClockNs + this.vtimeNs - fromClockNs);
    this.setWord('domain', domain);
  }

  /** It runs or wants to. */
  get isRunnable(): boolean {
    return this.runnable;
  }

  /** setRunnable shows since when it wants to run or runs; 0: it sleeps. */
  setRunnable(sinceNs: number): void {
    this.runnable = sinceNs !== 0;
    writeU64(this.arena.words, this.at + SLOT.word.runnableSinceNs, sinceNs);
  }

  /** beginWait opens a new wait: the enqueue count names it from now on. */
  beginWait(nowNs: number): void {
    this.enqueuedNs = nowNs;
    this.setWord('enq', this.word('enq') + 1);
  }

  /** show writes the accounting into the slot, as the kernel side does before it asks. */
  show(): void {
    const { words } = this.arena;
    writeU64(words, this.at + SLOT.word.vtimeNs, Math.max(0, Math.floor(this.vtimeNs)));
    writeU64(words, this.at + SLOT.word.execSinceWakeNs, this.execSinceWakeNs);
    writeU64(words, this.at + SLOT.word.execSinceDecisionNs, this.execSinceDecisionNs);
    writeU64(words, this.at + SLOT.word.startedNs, this.startedNs);
    writeU64(words, this.at + SLOT.word.stoppedNs, this.stoppedNs);
    writeU64(words, this.at + SLOT.word.sleepNs, this.sleptNs);
    this.setWord('wakes', this.wakes);
    this.setWord('weight', this.weight);
    writeU64(words, this.at + SLOT.word.enqueuedNs, this.enqueuedNs);
    writeU64(words, this.at + SLOT.word.wokenNs, this.wokenNs);
  }

  /** charge accounts execution. */
  charge(ranNs: number): void {
    this.cpuNs += ranNs;
    this.leftNs -= ranNs;
    this.execSinceWakeNs += ranNs;
    this.execSinceDecisionNs += ranNs;
    this.vtimeNs += (ranNs * 100) / this.weight;
  }

  /** deadlineNs is the kernel side's own order: vtime + min(weighted execution since wake, cap). */
  deadlineNs(execCapNs: number): number {
    return Math.floor(this.vtimeNs + Math.min((this.execSinceWakeNs * 100) / this.weight, execCapNs));
  }
}
