/**
 * The simulated kernel's watch over workers and waits, as bpf/watch.h and bpf/rescue.h have it: a worker that does not move
 * loses its domain until it does, and what is not decided in time is queued without it.
 */
import { DOMAIN_STATE, OWNER } from '../shm/layout.generated.js';
import type { SimDispatch } from './sim-dispatch.js';
import type { SimDomain } from './sim-domain.js';
import type { SimTask } from './sim-task.js';
import type { SimWorker } from './sim-worker.js';

export const WATCH_NS = 5e6;

/** SimWatchHost is what the watch looks at. */
export interface SimWatchHost {
  readonly nowNs: number;
  readonly domains: readonly SimDomain[];
  readonly near: readonly (readonly number[])[] | undefined;
  /** The living, by slot. */
  readonly living: readonly (SimTask | undefined)[];
  readonly dispatch: SimDispatch;
  readonly timedWorkers: readonly SimWorker[];
}

export class SimWatch {
  private readonly lastProgress: number[] = [];
  private readonly lastMoveNs: number[] = [];
  private readonly fallbackSinceNs: number[] = [];

  constructor(
    private readonly host: SimWatchHost,
    private readonly stallNs: number,
  ) {}

  /** look is to be called every {@link WATCH_NS}. */
  look(): void {
    for (const worker of this.host.timedWorkers) this.lookAt(worker);
    this.rescue();
    this.wakeIdle();
  }

  private lookAt({ domain, isAttached, isBusy }: SimWorker): void {
    const { nowNs } = this.host;
    if (!isAttached) {
      this.leaveFallback(domain);
      domain.goTo('ABSENT');
      return;
    }
    const progress = domain.word('progress');
    const isHeld = isBusy || domain.word('taskTail') !== domain.word('taskHead');
    const isAbsent = domain.state === DOMAIN_STATE.ABSENT;
    if (progress !== this.lastProgress[domain.id] || (!isHeld && !isAbsent)) {
      this.lastProgress[domain.id] = progress;
      this.lastMoveNs[domain.id] = nowNs;
      this.leaveFallback(domain);
      domain.goTo('ACTIVE');
    } else if (nowNs - this.lastMoveNs[domain.id] > this.stallNs && domain.state === DOMAIN_STATE.ACTIVE) {
      this.fallbackSinceNs[domain.id] = nowNs;
      domain.count('FALLBACK_ENTER');
      domain.goTo('FALLBACK');
    }
  }

  private leaveFallback(domain: SimDomain): void {
    if (domain.state !== DOMAIN_STATE.FALLBACK) return;
    domain.count('FALLBACK_LEAVE');
    domain.count('FALLBACK_US', Math.floor((this.host.nowNs - this.fallbackSinceNs[domain.id]) / 1000));
  }

  private rescue(): void {
    const { living, domains, nowNs, dispatch } = this.host;
    for (const task of living) {
      if (task?.owner !== OWNER.ASKED || task.exited) continue;
      const domain = domains[task.domain];
      const isOverdue = domain.state !== DOMAIN_STATE.ACTIVE || nowNs - task.enqueuedNs > this.stallNs;
      if (!isOverdue) continue;
      task.setOwner(OWNER.KERNEL);
      domain.count('RESCUED');
      const queued = dispatch.inKernel(task);
      domain.insert(queued);
      if (task.isWoken) dispatch.preempt(domain, queued);
    }
  }

  /** Where tasks wait and no CPU idles, CPUs of the nearest domain that has idle ones may take them. */
  private wakeIdle(): void {
    const { domains, near, dispatch } = this.host;
    for (const { id, queue, nrIdle } of domains) {
      if (queue.length === 0 || nrIdle > 0) continue;
      const other = near?.[id].map((each) => domains[each]).find((each) => each.nrIdle > 0);
      for (const cpu of other?.members ?? []) {
        if (queue.length === 0) break;
        if (cpu.isIdle) dispatch.pull(cpu);
      }
    }
  }
}
