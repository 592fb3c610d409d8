/** One domain's worker over its life: started, made to go, ended when it hangs, started again when it failed, stopped. */
import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT, UserError } from '../cli/errors.js';
import type { Domain } from '../domain/plan.js';
import { threadUse } from '../observe/faults.js';
import type { Logger } from '../observe/log.js';
import { DEFAULT_POLICY } from '../policy/builtin-names.js';
import { domainPlace } from '../shm/arena.js';
import { DOMAIN, DOMAIN_STATE } from '../shm/layout.generated.js';
import { commandGo, commandMap, commandStop, commandSwap, createControl } from '../worker/control.js';
import type { PolicyOrder, WorkerTask } from '../worker/messages.js';
import type { StopReason } from '../worker/run.js';
import { Failures, FAILURES_MAX } from './failures.js';
import { LoopWatch } from './loop-watch.js';
import { type ChosenPolicy, builtinDefault } from './policies.js';
import type { SchedulerLink } from './scheduler-link.js';
import type { StateMemories } from './state-memories.js';
import type { HostedWorker, WorkerHost } from './worker-host.js';

export type DomainWorkerOptions = Pick<
  WorkerTask,
  'wait' | 'ask' | 'sliceUs' | 'partial' | 'inboxMemory' | 'siblings' | 'neighbours'
>;

/** A policy that is not in place by then is hung. */
const SWAP_LIMIT_MS = 10_000;

/** What happens to a domain's worker that others must see to. */
export interface DomainWorkerEvents {
  /** The worker runs from now on with this thread. */
  going(domain: Domain, tid: number): void;
  /** The thread is gone; its registration with the kernel side must be taken back. */
  died(domain: Domain, tid: number): void;
  /** Lets a thread of this process run on one CPU only. @throws when that is offline */
  pin(cpu: number, tid: number): void;
}

/** DomainWorker keeps one domain decided by TypeScript. Main thread only. */
export class DomainWorker {
  private control = createControl();
  private hosted: HostedWorker | undefined;
  /** Of the worker that is ready or runs. */
  private tid: number | undefined;
  /** Where it is pinned: the planned CPU, or another one of the domain while that is offline. */
  private cpu: number;
  private chosen: ChosenPolicy;
  /** The policy that failed too often, while the built-in one is in its place. */
  private failed: string | undefined;
  /** Starts and changes of policy, one after the other. */
  private queue: Promise<unknown> = Promise.resolve();
  private isSwapping = false;
  private stopping = false;
  /** Why its thread was ended by us. */
  private killedFor: string | undefined;
  private readonly failures = new Failures();
  private readonly loopWatch = new LoopWatch();
  private life: Promise<void> = Promise.resolve();

  constructor(
    private readonly host: WorkerHost,
    private readonly link: SchedulerLink,
    readonly domain: Domain,
    policy: ChosenPolicy,
    private readonly memories: StateMemories,
    private readonly options: DomainWorkerOptions,
    private readonly events: DomainWorkerEvents,
    private readonly log: Logger,
  ) {
    this.cpu = domain.workerCpu;
    this.chosen = policy;
  }

  private get policy(): string {
    return this.chosen.definition.name;
  }

  /** runs tells what the domain's worker runs, now or when it has been started again. */
  runs(): {
    readonly chosen: ChosenPolicy;
    readonly isRunning: boolean;
    readonly failed: string | undefined;
  } {
    return { chosen: this.chosen, isRunning: this.tid !== undefined, failed: this.failed };
  }

  /** order is a policy as the worker gets it; its state is that of the other domains with it. */
  private order(chosen: ChosenPolicy): PolicyOrder & { readonly stateMemory: SharedArrayBuffer } {
    const { module: policy, definition, checked: options } = chosen;
    const stateMemory = this.memories.memoryOf(this.domain.id, definition);
    return { policy, stateMemory, ...(options === undefined ? {} : { options }) };
  }

  /**
   * setPolicy changes the policy of the running worker, or of the next one when none runs.
   *
   * @returns a remark, such as that the old policy's unload failed
   * @throws UserError (configuration) that says why the old policy is still in place
   */
  async setPolicy(chosen: ChosenPolicy): Promise<string | undefined> {
    return this.next(async () => {
      if (this.stopping) throw new UserError('nodeland is stopping');
      const order = this.order(chosen);
      try {
        const remark = await this.swap(order, chosen);
        this.chosen = chosen;
        this.failed = undefined;
        this.failures.forget();
        this.log.info(
          { domain: this.domain.name, policy: this.policy },
          `domain ${this.domain.name} is scheduled by policy ${this.policy} from now on${remark === undefined ? '' : ` (${remark})`}`,
        );
        return remark;
      } finally {
        this.memories.keepOnly(this.domain.id, this.order(this.chosen).stateMemory);
      }
    });
  }

  private async swap(
    order: PolicyOrder,
    { definition: { name } }: ChosenPolicy,
  ): Promise<string | undefined> {
    const { hosted, tid } = this;
    if (hosted === undefined || tid === undefined) return 'its worker is started again at this moment';
    const answered = hosted.swap(order);
    this.isSwapping = true;
    commandSwap(this.control);
    Atomics.store(this.link.arena.words, this.word('wakeRequest'), 1);
    const timer = setTimeout(() => {
      this.killedFor = `policy ${name} was not in place after ${seconds(SWAP_LIMIT_MS)} s`;
      hosted.kill();
    }, SWAP_LIMIT_MS);
    try {
      const answer = await answered.catch(() => {
        throw new UserError(
          `policy ${name} ended its worker, which is started again with ${this.policy}`,
          EXIT.config,
        );
      });
      if (answer.kind === 'refused') throw new UserError(`policy ${name}: ${answer.message}`, EXIT.config);
      this.log.debug(
        { ...answer },
        `domain ${this.domain.name} was left alone for ${answer.awayMs.toFixed(1)} ms`,
      );
      this.events.going(this.domain, tid);
      return answer.warning;
    } finally {
      clearTimeout(timer);
      this.isSwapping = false;
    }
  }

  /** next runs a step when those before it are through. */
  private next<T>(step: () => Promise<T>): Promise<T> {
    const done = this.queue.then(step);
    this.queue = done.catch(() => undefined);
    return done;
  }

  /**
   * start resolves when the worker is warm and known to the kernel side, for which the memory must be laid out
   * ({@link map}). It waits for {@link go}.
   */
  async start(): Promise<void> {
    this.control = createControl();
    if (this.link.isLoaded) this.map();
    const { domain, link } = this;
    const hosted = this.host.start({
      session: link.session,
      domain: domain.id,
      threadName: `nl-${domain.name}`,
      cpu: this.cpu,
      control: this.control.buffer,
      ...this.options,
      ...this.order(this.chosen),
    });
    this.hosted = hosted;
    let isReady = false;
    this.life = hosted.ended.then(
      ({ reason }) => (isReady ? this.afterEnd(reason) : undefined),
      (error: unknown) => (isReady ? this.afterEnd(error) : undefined),
    );
    const { tid } = await hosted.ready.catch((cause: unknown) => {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new UserError(`the worker of domain ${domain.name} did not start: ${reason}`, EXIT.failure, {
        cause,
      });
    });
    isReady = true;
    this.tid = tid;
  }

  /** map lets the worker map the memory, which is laid out. */
  map(): void {
    commandMap(this.control);
  }

  /** go lets the worker loop; after attach, so that its first look finds work. */
  go(): void {
    if (this.tid === undefined) return;
    this.events.going(this.domain, this.tid);
    commandGo(this.control);
  }

  /**
   * beat is called regularly while attached: it ends a worker that does not come round any more. A dead domain's worker
   * has no tasks, so only one whose domain fell back is looked at.
   */
  beat(beatMs: number): void {
    const { tid, loopWatch, hosted } = this;
    const { words } = this.link.arena;
    if (tid === undefined || hosted === undefined || words[this.word('state')] !== DOMAIN_STATE.FALLBACK) {
      loopWatch.rest();
      return;
    }
    const progress = Atomics.load(words, this.word('progress'));
    const stuck = loopWatch.beat(progress, beatMs, () => threadUse(tid)?.cpuMs ?? 0);
    if (stuck === undefined) return;
    loopWatch.rest();
    const howLong = `${seconds(stuck.elapsedMs)} s, ${seconds(stuck.cpuMs)} s of CPU time`;
    this.killedFor = `policy ${this.policy} did not come to an end: ${howLong}`;
    this.log.error(
      { domain: this.domain.name, policy: this.policy, ...stuck },
      `the worker of domain ${this.domain.name} makes no progress: ${howLong} in policy ${this.policy}; its thread is ended`,
    );
    hosted.kill();
  }

  /** place moves the worker to its planned CPU, or to another one of its domain while that is offline. */
  place(isOnline: (cpu: number) => boolean): void {
    const { domain, tid } = this;
    const cpu = isOnline(domain.workerCpu) ? domain.workerCpu : domain.cpus.find(isOnline);
    // With every CPU of the domain offline the kernel has put it somewhere else.
    if (cpu === undefined) return;
    this.cpu = cpu;
    if (tid === undefined) return;
    try {
      this.events.pin(cpu, tid);
      this.log.info({ domain: domain.name, cpu }, `the worker of domain ${domain.name} is on CPU ${cpu} now`);
    } catch (error) {
      // It went offline again, or the thread is gone; the next change brings the next try.
      this.log.debug({ domain: domain.name, cpu }, `pinning: ${String(error)}`);
    }
  }

  /** tellToStop ends the loop at its next turn. A parked worker is asked to look. */
  tellToStop(): void {
    this.stopping = true;
    commandStop(this.control);
    if (this.link.isLoaded) Atomics.store(this.link.arena.words, this.word('wakeRequest'), 1);
  }

  /** ended resolves when the worker, told to stop, is through. */
  async ended(): Promise<void> {
    await this.life;
  }

  private word(name: keyof typeof DOMAIN.word): number {
    return domainPlace(this.link.arena, this.domain.id).domainWord + DOMAIN.word[name];
  }

  private async afterEnd(cause: unknown): Promise<void> {
    const { tid } = this;
    this.tid = undefined;
    this.hosted = undefined;
    if (tid !== undefined) this.events.died(this.domain, tid);
    const what = this.killedFor ?? describe(cause);
    this.killedFor = undefined;
    if (this.isSwapping) await this.afterBadSwap(what);
    else await this.afterFailure(what);
  }

  /** What a policy did that was about to be put in place is not held against the one that still is. */
  private async afterBadSwap(what: string): Promise<void> {
    this.log.error(
      { domain: this.domain.name },
      `the worker of domain ${this.domain.name} ended while its policy was changed: ${what}; it is started again with ${this.policy}`,
    );
    await this.startAgain();
  }

  /** afterFailure starts the worker again after a while; with the built-in policy if it failed too often. */
  private async afterFailure(what: string): Promise<void> {
    if (this.stopping) return;
    const { name } = this.domain;
    const { delayMs, tooMany } = this.failures.add(performance.now());
    const times = `${FAILURES_MAX} times within a minute`;
    if (tooMany && this.policy === DEFAULT_POLICY) {
      this.log.error(
        { domain: name },
        `the worker of domain ${name} failed ${times}, at last: ${what}; the domain stays scheduled in the kernel`,
      );
      return;
    }
    if (tooMany) {
      this.log.error(
        { domain: name, policy: this.policy },
        `policy ${this.policy} failed ${times} in domain ${name}, at last: ${what}; ` +
          `the domain stays with the built-in policy ${DEFAULT_POLICY}`,
      );
      this.failed = this.policy;
      this.chosen = builtinDefault();
      this.memories.keepOnly(this.domain.id, this.order(this.chosen).stateMemory);
      this.failures.forget();
    } else {
      this.log.error(
        { domain: name, policy: this.policy },
        `the worker of domain ${name} failed: ${what}; it is started again in ${delayMs} ms`,
      );
    }
    await sleep(delayMs, undefined, { ref: false });
    await this.startAgain();
  }

  private async startAgain(): Promise<void> {
    if (this.stopping) return;
    try {
      await this.next(async () => {
        await this.start();
        this.go();
      });
    } catch (error) {
      await this.afterFailure(error instanceof Error ? error.message : String(error));
    }
  }
}

function describe(cause: unknown): string {
  if (isStopReason(cause)) {
    return cause.kind === 'policy-error'
      ? `policy ${cause.policy}: ${cause.message} (${cause.at})`
      : 'it stopped by itself';
  }
  return cause instanceof Error ? cause.message : String(cause);
}

function isStopReason(cause: unknown): cause is StopReason {
  return typeof cause === 'object' && cause !== null && !(cause instanceof Error) && 'kind' in cause;
}

const seconds = (ms: number): string => (ms / 1000).toFixed(1);
