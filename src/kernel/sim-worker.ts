/**
 * When a domain's worker has its turns on the simulated kernel, if its turns take time. As a parked one:
 *   1. Its domain has work for it: called. Its CPU is taken from whatever runs there; the switch takes `batchNs`.
 *   2. It takes what there is by then and decides, which takes `decisionNs` for each.
 *   3. Its decisions count, and its CPU goes on. With more work it is called again.
 */
import type { SimDomain } from './sim-domain.js';

/** SimWorkerTimes is how long a worker takes. */
export interface SimWorkerTimes {
  /** For each record of its ring, or decision. */
  readonly decisionNs: number;
  /** For each batch: from being called to having its CPU. */
  readonly batchNs: number;
}

/** SimWorkerHost is what a worker needs of the kernel. */
export interface SimWorkerHost {
  readonly nowNs: number;
  at(timeNs: number, action: () => void): void;
  /** The worker's CPU is not there for tasks. */
  takeCpu(domain: SimDomain, forNs: number): void;
  /** Its decisions are applied. */
  apply(domain: SimDomain): void;
  /** Its CPU looks for work. */
  touch(domain: SimDomain): void;
}

/** Batches in no time; more means that policy and kernel chase each other. */
const MAX_BATCHES = 5000;

export class SimWorker {
  private turn: (() => number) | undefined;
  private state: 'parked' | 'called' | 'busy' = 'parked';
  private calledNs = 0;
  private pausedUntilNs = 0;
  private slowness = 1;
  private slowUntilNs = 0;
  /** Of attachments, so that what was planned for an earlier one is known to be void. */
  private serial = 0;
  private batches = 0;
  private batchesAtNs = -1;
  /** How long it has been at work. */
  busyNs = 0;

  constructor(
    private readonly host: SimWorkerHost,
    readonly domain: SimDomain,
    private readonly times: SimWorkerTimes,
  ) {}

  /** attach gives it its code: a function that does one batch and tells how many decisions it published. */
  attach(turn: (() => number) | undefined): void {
    this.turn = turn;
    this.serial++;
    this.state = 'parked';
    this.domain.setWord('parked', turn === undefined ? 0 : 1);
  }

  get isAttached(): boolean {
    return this.turn !== undefined;
  }

  /** It has taken tasks whose decisions do not count yet. */
  get isBusy(): boolean {
    return this.state === 'busy';
  }

  /** pause has it stand still, whatever it is at. */
  pause(untilNs: number): void {
    this.pausedUntilNs = Math.max(this.pausedUntilNs, untilNs);
  }

  /** slow has its decisions take so many times as long. */
  slow(factor: number, untilNs: number): void {
    this.slowness = factor;
    this.slowUntilNs = untilNs;
  }

  /** call is for a worker that may have work. */
  call(): void {
    if (this.turn === undefined || this.state !== 'parked' || !this.domain.hasWorkerWork) return;
    this.state = 'called';
    this.calledNs = this.host.nowNs;
    this.domain.count('WORKER_KICKS');
    this.take(this.times.batchNs);
    this.after(this.times.batchNs, () => {
      this.begin();
    });
  }

  /** Later, if it still is this worker, and when it does not stand still. */
  private after(ns: number, action: () => void): void {
    const { serial } = this;
    const due = (): void => {
      if (this.serial !== serial) return;
      if (this.host.nowNs < this.pausedUntilNs) this.host.at(this.pausedUntilNs, due);
      else action();
    };
    this.host.at(this.host.nowNs + ns, due);
  }

  private begin(): void {
    const { domain, host } = this;
    this.checkProgress();
    domain.letWorkerIn();
    const head = domain.word('taskHead');
    const published = this.turn?.() ?? 0;
    const taken = (domain.word('taskHead') - head) >>> 0;
    const factor = host.nowNs < this.slowUntilNs ? this.slowness : 1;
    const busyNs = Math.round(Math.max(taken, published) * this.times.decisionNs * factor);
    domain.count('WORKER_RUNS');
    domain.members[0]?.record('WORKER_WAKE', host.nowNs - this.calledNs);
    domain.members[0]?.record('WORKER_RUN', busyNs);
    this.take(busyNs);
    this.state = 'busy';
    this.after(busyNs, () => {
      this.end();
    });
  }

  private take(forNs: number): void {
    this.host.takeCpu(this.domain, forNs);
    this.busyNs += forNs;
  }

  private end(): void {
    this.state = 'parked';
    this.domain.setWord('parked', 1);
    this.host.apply(this.domain);
    this.host.touch(this.domain);
    this.call();
  }

  private checkProgress(): void {
    if (this.host.nowNs !== this.batchesAtNs) this.batches = 0;
    this.batchesAtNs = this.host.nowNs;
    if (++this.batches > MAX_BATCHES) {
      throw new Error(`simulation: the worker of domain ${this.domain.id} does not settle`);
    }
  }
}
