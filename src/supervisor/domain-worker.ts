/** One domain's worker over its life: started, made to go, restarted when its thread dies, stopped. */
import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT, UserError } from '../cli/errors.js';
import type { Domain } from '../domain/plan.js';
import type { Logger } from '../observe/log.js';
import { domainPlace } from '../shm/arena.js';
import { DOMAIN } from '../shm/layout.generated.js';
import { commandGo, commandStop, createControl } from '../worker/control.js';
import type { WorkerTask } from '../worker/messages.js';
import type { SchedulerLink } from './scheduler-link.js';
import type { WorkerHost } from './worker-host.js';

const RESTART_DELAY_MS = 100;
const RESTART_DELAY_MAX_MS = 5_000;
/** A worker that dies so often is left dead; its domain stays scheduled in the kernel. */
const RESTARTS_MAX = 8;

export type DomainWorkerOptions = Pick<WorkerTask, 'policy' | 'wait' | 'ask' | 'sliceUs' | 'partial'>;

/** What happens to a domain's worker that others want to know. */
export interface DomainWorkerEvents {
  /** The worker runs from now on with this thread. */
  going(domain: Domain, tid: number): void;
  /** The thread is gone; its registration with the kernel side must be taken back. */
  died(domain: Domain, tid: number): void;
}

/** DomainWorker keeps one domain decided by TypeScript. Main thread only. */
export class DomainWorker {
  private control = createControl();
  private tid: number | undefined;
  private stopping = false;
  private restarts = 0;
  private life: Promise<void> = Promise.resolve();

  constructor(
    private readonly host: WorkerHost,
    private readonly link: SchedulerLink,
    private readonly domain: Domain,
    private readonly options: DomainWorkerOptions,
    private readonly events: DomainWorkerEvents,
    private readonly log: Logger,
  ) {}

  /** start resolves when the worker is warm and known to the kernel side. It waits for {@link go}. */
  async start(): Promise<void> {
    this.control = createControl();
    const { domain, link } = this;
    const hosted = this.host.start({
      session: link.session,
      domain: domain.id,
      threadName: `nl-${domain.name}`,
      cpu: domain.workerCpu,
      memoryBytes: link.byteLength,
      control: this.control.buffer,
      ...this.options,
    });
    this.life = hosted.ended.then(
      ({ reason }) => {
        if (reason.kind === 'policy-error') {
          this.log.error(
            { domain: domain.name, policy: reason.policy, at: reason.at },
            `policy ${reason.policy} failed in domain ${domain.name}: ${reason.message} (${reason.at}); ` +
              'the domain is scheduled in the kernel from now on',
          );
        }
      },
      (error: unknown) => this.afterDeath(error),
    );
    const { tid } = await hosted.ready.catch((cause: unknown) => {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new UserError(`the worker of domain ${domain.name} did not start: ${reason}`, EXIT.failure, {
        cause,
      });
    });
    this.tid = tid;
  }

  /** go lets the worker loop; after attach, so that its first look finds work. */
  go(): void {
    if (this.tid === undefined) return;
    this.events.going(this.domain, this.tid);
    commandGo(this.control);
  }

  /** tellToStop ends the loop at its next turn. A parked worker is asked to look. */
  tellToStop(): void {
    this.stopping = true;
    commandStop(this.control);
    const { arena } = this.link;
    Atomics.store(arena.words, domainPlace(arena, this.domain.id).domainWord + DOMAIN.word.wakeRequest, 1);
  }

  /** ended resolves when the worker, told to stop, is through. */
  async ended(): Promise<void> {
    await this.life;
  }

  private async afterDeath(error: unknown): Promise<void> {
    const { tid } = this;
    this.tid = undefined;
    if (tid !== undefined) this.events.died(this.domain, tid);
    if (this.stopping) return;
    const message = error instanceof Error ? error.message : String(error);
    const name = this.domain.name;
    if (tid === undefined || this.restarts >= RESTARTS_MAX) {
      this.log.error(
        `the worker of domain ${name} died (${message}); the domain stays scheduled in the kernel`,
      );
      return;
    }
    const delayMs = Math.min(RESTART_DELAY_MS * 2 ** this.restarts++, RESTART_DELAY_MAX_MS);
    this.log.error(`the worker of domain ${name} died (${message}); restarting it in ${delayMs} ms`);
    await sleep(delayMs, undefined, { ref: false });
    await this.startAgain();
  }

  private async startAgain(): Promise<void> {
    if (this.stopping) return;
    try {
      await this.start();
      this.go();
    } catch (error) {
      this.log.error(`the worker of domain ${this.domain.name} did not start again: ${String(error)}`);
    }
  }
}
