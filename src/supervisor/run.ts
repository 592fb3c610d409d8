/**
 * nodeland run: the order of things.
 *   1. Preflight, topology, plan. Errors here have touched nothing.
 *   2. Workers start and warm up, while the object is loaded and its memory laid out; then they map it and register. Nothing
 *      is scheduled yet.
 *   3. Memory is locked; attach; workers go.
 *   4. Until a signal, the duration's end or the kernel's exit: heartbeat, statistics.
 *   5. Workers are told to stop, then detach (a parked worker is then the kernel's own to run), then workers end.
 *   6. Settings are put back, the summary printed.
 * Whatever fails from 2 on, 5 and 6 happen.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Balancer } from '../balance/balancer.js';
import type { RunConfig } from '../config/config.js';
import { planFor } from '../config/plan.js';
import type { Domain, DomainPlan } from '../domain/plan.js';
import { type ExitInfo, type NativeAddon } from '../kernel/native-addon.js';
import { native as loadNative } from '../kernel/native.js';
import { recordSource } from '../kernel/record-source.js';
import { FaultWatch } from '../observe/faults.js';
import { createLog, type Logger } from '../observe/log.js';
import { liveTable, type Report, summaryTable } from '../observe/report.js';
import { takeSnapshot } from '../observe/snapshot.js';
import { inboxBytes } from '../handoff/inbox.js';
import { PolicyLoader } from '../policy/load.js';
import type { DomainNeighbours } from '../policy/policy.js';
import { openControl, type Served } from './control.js';
import type { ControlServer } from '../control/server.js';
import { type Topology, cpuInfo } from '../topology/topology.js';
import { cpu as asCpu } from '../topology/ids.js';
import { readTopology } from '../topology/read.js';
import { DomainWatch } from './domain-watch.js';
import { DomainWorker } from './domain-worker.js';
import { HotplugWatch } from './hotplug-watch.js';
import { unregisterWorker } from './memory.js';
import { checkMachine, hotplugSequence } from './preflight.js';
import { type ChosenPolicy, choosePolicies } from './policies.js';
import { recordingHeader, Recordings } from './recordings.js';
import { SchedulerLink } from './scheduler-link.js';
import { StateMemories } from './state-memories.js';
import { type Restore, setSysctl } from './sysctl.js';
import { piscinaHost } from './worker-host.js';

/** Of the kernel's enum scx_exit_kind: unregistered by us. From SCX_EXIT_ERROR on it is an error. */
const EXIT_UNREG = 64;
const EXIT_ERROR = 1024;

/** Of a CPU that is offline at the start: as of the fastest kind. */
const FULL_CAPACITY = 1024;

/** Workers that loop end at once; what takes longer is not waited for. */
const STOP_LIMIT_MS = 3_000;

/**
 * runScheduler schedules this machine until it is told to stop.
 *
 * @returns the process's exit code: 0 after a stop that was asked for, 1 when the kernel let go by itself
 * @throws UserError for what the user can mend
 */
export async function runScheduler(config: RunConfig): Promise<number> {
  const log = await createLog(config.verbose);
  checkMachine();
  const hotplugSeq = hotplugSequence();
  const topology = readTopology();
  const plan = planFor(topology, config);
  log.info(
    { domains: plan.domains.map(({ name, cpus, workerCpu }) => ({ name, cpus, workerCpu })) },
    `plan: ${plan.domains.length} domain${plan.domains.length === 1 ? '' : 's'} by "${plan.spec}": ` +
      plan.domains
        .map(({ name, cpus, workerCpu }) => `${name} ${cpus.length} CPUs, worker on ${workerCpu}`)
        .join('; '),
  );
  const loader = new PolicyLoader();
  let control: ControlServer | undefined;
  try {
    const policies = await choosePolicies(loader, config, plan.domains.length);
    let served: Served | undefined;
    control = await openControl(config.socket, () => served, loader, log);
    const run = new Run(loadNative(), topology, plan, policies, config, log, hotplugSeq);
    try {
      await run.begin();
      served = run;
      return await run.untilStopped();
    } finally {
      await run.end();
    }
  } finally {
    await control?.close();
    loader.close();
  }
}

interface Watches {
  readonly domains: DomainWatch;
  readonly hotplug: HotplugWatch;
  readonly balancer: Balancer;
}

/** Run is one run's parts, for the time between load and close. */
class Run {
  private readonly link: SchedulerLink;
  private readonly host;
  readonly workers: readonly DomainWorker[];
  readonly recordings: Recordings;
  private readonly faults = new FaultWatch();
  private readonly capacities: Float64Array;
  /** What looks at the memory, once it is laid out. */
  private watches: Watches | undefined;
  private readonly restores: (() => void)[] = [];
  private heartbeat: NodeJS.Timeout | undefined;
  private balance: NodeJS.Timeout | undefined;
  private attachedAt: number | undefined;
  private resolveStop: (why: string) => void = () => undefined;
  /** Resolves with why the run ends. */
  private readonly stopped = new Promise<string>((resolve) => (this.resolveStop = resolve));
  private gone: Promise<void> | undefined;
  private loading: Promise<void> | undefined;

  constructor(
    private readonly native: NativeAddon,
    topology: Topology,
    private readonly plan: DomainPlan,
    private readonly policies: readonly ChosenPolicy[],
    private readonly config: RunConfig,
    private readonly log: Logger,
    hotplugSeq: bigint,
  ) {
    this.link = SchedulerLink.open(native, plan, config, hotplugSeq);
    this.host = piscinaHost(plan.domains.length);
    this.capacities = capacitiesOf(topology, plan);
    const { session } = this.link;
    this.recordings = new Recordings(recordSource(native, session, plan.domains.length), (startNs) => {
      const policyNames = this.workers.map((worker) => worker.runs().chosen.definition.name);
      return recordingHeader(topology, plan, policyNames, startNs);
    });
    const memories = new StateMemories(config.slots);
    const inboxMemory = new SharedArrayBuffer(inboxBytes(plan.domains.length));
    new Uint8Array(inboxMemory).fill(0);
    const siblings = siblingsOf(topology, plan);
    this.workers = plan.domains.map(
      (domain) =>
        new DomainWorker(
          this.host,
          this.link,
          domain,
          policies[domain.id],
          memories,
          {
            wait: config.wait,
            ask: config.ask,
            sliceUs: config.sliceUs,
            partial: config.partial,
            inboxMemory,
            siblings,
            neighbours: neighboursOf(plan, domain),
          },
          {
            going: ({ id }, tid) => {
              // Before the first attach all are locked together.
              if (this.heartbeat !== undefined) this.lock();
              this.faults.begin(id, tid);
            },
            died: ({ id }, tid) => {
              unregisterWorker(native, session, id, tid);
            },
            pin: (cpu, tid) => {
              native.pinThread([cpu], tid);
            },
          },
          log,
        ),
    );
  }

  async begin(): Promise<void> {
    const { native, log, config } = this;
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      const onSignal = (): void => this.resolveStop(signal);
      process.on(signal, onSignal);
      this.restores.push(() => process.off(signal, onSignal));
    }
    // What it marks while workers start would fault when they first touch it in their work.
    const allowNumaBalancing = this.switchOff('kernel.numa_balancing');
    await Promise.all([this.load(), ...this.workers.map((worker) => worker.start())]);
    if (!this.switchOff('vm.compact_unevictable_allowed')) {
      log.warn('vm.compact_unevictable_allowed cannot be set to 0: compaction may move locked pages');
    }
    native.disableTransparentHugepages();
    this.lock();
    log.debug({ pagesByNode: native.memoryPlacement(this.link.session) }, 'shared memory lies on its nodes');
    this.link.beat();
    this.link.attach();
    this.attachedAt = performance.now();
    allowNumaBalancing?.();
    for (const worker of this.workers) worker.go();
    this.heartbeat = setInterval(() => {
      this.beat();
    }, config.heartbeatMs);
    const names = [...new Set(this.policies.map(({ definition }) => definition.name))];
    if (config.balanceMs > 0 && this.plan.domains.length > 1) {
      this.balance = setInterval(() => {
        const moves = this.watches?.balancer.beat() ?? [];
        if (moves.length > 0) log.debug({ moves }, `balancer: ${moves.length} tasks sent`);
      }, config.balanceMs);
    }
    log.info(
      // From the beginning of the process.
      { policy: names.join(), wait: config.wait, ask: config.ask, startMs: Math.round(this.attachedAt) },
      `attached: ${config.partial ? 'SCHED_EXT tasks are' : 'every ordinary task is'} scheduled by policy ${names.join(', ')}`,
    );
  }

  /** Beside the workers' warm-up. */
  private async load(): Promise<void> {
    const { link, plan, config, log } = this;
    this.loading = link.load(plan, config);
    await this.loading;
    this.watches = {
      domains: new DomainWatch(link.arena, plan.domains, log),
      hotplug: new HotplugWatch(link.arena),
      balancer: new Balancer(link.arena, plan.domains, this.capacities),
    };
    for (const worker of this.workers) worker.map();
  }

  async untilStopped(): Promise<number> {
    const { config, log } = this;
    const timers: NodeJS.Timeout[] = [];
    if (config.durationS !== undefined) {
      timers.push(setTimeout(() => this.resolveStop('duration'), config.durationS * 1000));
    }
    let before = this.report();
    if (config.statsS !== undefined) {
      timers.push(
        setInterval(() => {
          const now = this.report();
          const text = liveTable(this.plan, now, before);
          process.stdout.write(`${text}\n`);
          before = now;
        }, config.statsS * 1000),
      );
    }
    try {
      const why = await this.stopped;
      log.debug(`stopping: ${why}`);
    } finally {
      timers.forEach(clearInterval);
    }
    const report = this.report();
    await this.letGo();
    for (const { domain, counters, worker } of report.snapshot.domains) {
      log.debug({ domain, counters, worker }, `counters of domain ${domain}`);
    }
    log.debug(this.watches?.balancer.counts, 'balancer');
    process.stdout.write(summaryTable(this.plan, report));
    return this.exitCode(this.link.exitInfo());
  }

  async end(): Promise<void> {
    try {
      await this.letGo();
      await this.recordings.close();
    } finally {
      await this.host.close();
      await this.loading?.catch(() => undefined);
      for (const restore of this.restores.splice(0)) restore();
      this.link.close();
    }
  }

  /** Until it is put back, at the end if not before. */
  private switchOff(sysctl: string): Restore | undefined {
    const restore = setSysctl(sysctl, '0');
    if (restore) {
      this.restores.push(() => {
        if (!restore()) this.log.warn(`${sysctl} could not be put back`);
      });
    }
    return restore;
  }

  /** Stops the workers and detaches, whatever state they are in; once. */
  private letGo(): Promise<void> {
    this.gone ??= this.stopAndDetach();
    return this.gone;
  }

  private async stopAndDetach(): Promise<void> {
    clearInterval(this.heartbeat);
    clearInterval(this.balance);
    for (const worker of this.workers) worker.tellToStop();
    this.link.detach();
    const ended = Promise.all(this.workers.map((worker) => worker.ended())).then(() => true);
    // One that is warming up looks at its orders late; closing the pool ends its thread.
    const inTime = await Promise.race([ended, sleep(STOP_LIMIT_MS, false, { ref: false })]);
    if (!inTime) this.log.warn(`a worker did not end within ${STOP_LIMIT_MS} ms; its thread is ended`);
  }

  /** lock keeps in memory what the process has now; again whenever a worker was started. */
  private lock(): void {
    const locked = this.native.lockMemory();
    const { log } = this;
    log.debug(locked, `locked ${locked.mappings} mappings, ${(locked.bytes / 2 ** 20).toFixed(0)} MiB`);
    if (locked.refused > 0) {
      log.warn(
        { errors: locked.errors },
        `${locked.refused} mappings could not be locked: ${locked.errors[0] ?? ''}`,
      );
    }
  }

  private beat(): void {
    this.link.beat();
    if (this.link.exited()) this.resolveStop('kernel');
    this.watches?.domains.beat(performance.now());
    for (const worker of this.workers) worker.beat(this.config.heartbeatMs);
    this.followHotplug();
  }

  /** A worker whose CPU went offline was put anywhere by the kernel. */
  private followHotplug(): void {
    const { log, watches } = this;
    const changed = watches?.hotplug.changes();
    if (watches === undefined || changed === undefined) return;
    const { hotplug } = watches;
    const text = changed.map((cpu) => `CPU ${cpu} ${hotplug.isOnline(cpu) ? 'came online' : 'went offline'}`);
    log.warn({ cpus: changed }, text.join(', '));
    for (const worker of this.workers) worker.place((cpu) => hotplug.isOnline(cpu));
  }

  private report(): Report {
    return {
      seconds: (performance.now() - (this.attachedAt ?? performance.now())) / 1000,
      snapshot: takeSnapshot(this.link.arena),
      faults: this.plan.domains.map(({ id }) => this.faults.faults(id)),
    };
  }

  private exitCode(exit: ExitInfo | null): number {
    if (exit === null || exit.kind === EXIT_UNREG) {
      this.log.info({ exit: exit?.reason }, `detached: ${exit?.reason ?? 'never attached'}`);
      return 0;
    }
    const text = exit.message === '' ? exit.reason : `${exit.reason} (${exit.message})`;
    const failed = exit.kind >= EXIT_ERROR;
    this.log[failed ? 'error' : 'warn'](
      { kind: exit.kind, exitCode: exit.exitCode.toString(), reason: exit.reason, message: exit.message },
      `the kernel ended it: ${text}`,
    );
    if (exit.dump !== '') process.stderr.write(`${exit.dump}\n`);
    return 1;
  }
}

/** capacitiesOf gives each CPU's capacity, indexed by CPU. One that is offline counts as a full one, should it come. */
function capacitiesOf({ cpus }: Topology, plan: DomainPlan): Float64Array {
  return Float64Array.from(plan.domainOfCpu, (_, cpu) => cpus.get(asCpu(cpu))?.capacity ?? FULL_CAPACITY);
}

/** siblingsOf gives for each CPU the next hardware thread of its core, or itself. */
function siblingsOf(topology: Topology, { domainOfCpu }: DomainPlan): Uint16Array {
  const siblings = Uint16Array.from(domainOfCpu, (_, cpu) => cpu);
  for (const cpu of topology.online) {
    const threads = cpuInfo(topology, cpu).siblings;
    siblings[cpu] = threads[(threads.indexOf(cpu) + 1) % threads.length] ?? cpu;
  }
  return siblings;
}

function neighboursOf({ domains }: DomainPlan, { neighbours, distances }: Domain): DomainNeighbours {
  return { nrDomains: domains.length, nearest: neighbours, distances };
}
