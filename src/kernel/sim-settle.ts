/** What follows an event of the simulated kernel, until nothing changes: CPUs look for work, workers have their turns. */
import type { SimDispatch } from './sim-dispatch.js';
import type { SimDomain } from './sim-domain.js';
import type { SimWorker } from './sim-worker.js';

/** SimSettleHost is what settling needs of the kernel. */
export interface SimSettleHost {
  readonly nowNs: number;
  readonly domains: readonly SimDomain[];
  readonly dispatch: SimDispatch;
  /** Of each domain, if workers take time; none otherwise. */
  readonly timedWorkers: readonly SimWorker[];
  at(timeNs: number, action: () => void): void;
  apply(domain: SimDomain): void;
}

/** Turns a worker may take after one event; more means that it and the kernel chase each other. */
const MAX_TURNS = 5000;

export class SimSettle {
  /** Of workers that take no time: each does one batch and tells how many decisions it published. */
  readonly turns: ((() => number) | undefined)[] = [];
  private readonly touched: SimDomain[] = [];
  private readonly nextTickNs: (number | undefined)[] = [];

  constructor(private readonly host: SimSettleHost) {}

  /** touch notes that something happened to a domain. */
  touch(domain: SimDomain): void {
    if (domain.isTouched) return;
    domain.isTouched = true;
    this.touched.push(domain);
  }

  /** all is to be called after every event. */
  all(): void {
    if (this.host.timedWorkers.length > 0) this.settleTouched();
    else this.settleTurns();
  }

  /** Where workers take time, only what was touched can have something to do. */
  private settleTouched(): void {
    const { dispatch, timedWorkers } = this.host;
    // Settling one may touch another, which is then looked at in the same round.
    for (const domain of this.touched) {
      domain.isTouched = false;
      dispatch.fill(domain);
      timedWorkers[domain.id].call();
      this.setTick(domain);
    }
    this.touched.length = 0;
  }

  /** What one domain's worker hands over is another's to decide. */
  private settleTurns(): void {
    const { domains } = this.host;
    let published = 1;
    for (let turn = 0; published > 0; turn++) {
      if (turn === MAX_TURNS) throw new Error('simulation: the domains do not settle');
      published = 0;
      for (const domain of domains) published += this.settle(domain);
    }
    for (const domain of domains) this.setTick(domain);
  }

  /** settle gives the worker its turns and fills idle CPUs, until nothing changes, and tells how much was published. */
  private settle(domain: SimDomain): number {
    const { host } = this;
    let total = 0;
    for (let turn = 0; turn < MAX_TURNS; turn++) {
      const published = this.turns[domain.id]?.() ?? 0;
      host.apply(domain);
      host.dispatch.fill(domain);
      total += published;
      if (published === 0) return total;
    }
    throw new Error(`simulation: domain ${domain.id} does not settle`);
  }

  /** A worker that wants to run now and then gets a turn, also while nothing happens. */
  private setTick(domain: SimDomain): void {
    const { tickMs, id } = domain;
    if (tickMs === 0 || this.nextTickNs[id] !== undefined) return;
    const atNs = this.host.nowNs + tickMs * 1e6;
    this.nextTickNs[id] = atNs;
    this.host.at(atNs, () => {
      this.nextTickNs[id] = undefined;
      domain.tick();
    });
  }
}
