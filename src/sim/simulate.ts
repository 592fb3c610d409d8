/** One simulation, from what was asked for to its result. */
import { EXIT, UserError } from '../cli/errors.js';
import { packageVersion } from '../cli/package-info.js';
import { Random } from './random.js';
import type { DomainPlan } from '../domain/plan.js';
import { inboxBytes } from '../handoff/inbox.js';
import { NoSlotError, SimKernel } from '../kernel/sim.js';
import { type Snapshot, takeSnapshot } from '../observe/snapshot.js';
import { PolicyLoader } from '../policy/load.js';
import { type ChosenPolicy, choosePolicies } from '../supervisor/policies.js';
import { StateMemories } from '../supervisor/state-memories.js';
import { DomainLoop } from '../worker/domain-loop.js';
import { policyError } from '../worker/run.js';
import { planFaults } from './faults.js';
import { loadOf } from './load.js';
import { type Prepared, prepare } from './prepare.js';
import type { SimRequest } from './request.js';
import { RESULT_FORMAT, type SimResult } from './result.js';
import { Samples } from './samples.js';
import type { Load } from './tally.js';
import { domainResults } from './snapshot.js';
import { LONGEST_MS } from './workloads/schema.js';

/** As in src/supervisor/memory.ts. */
const RING_ENTRIES = 4096;
const DURATION_MS = 1000;

/** Simulated is a result with what its tables are made of. */
export interface Simulated {
  readonly result: SimResult;
  readonly plan: DomainPlan;
  readonly snapshot: Snapshot;
}

/**
 * simulate runs a simulation to its end on this thread.
 *
 * @throws UserError for what the user can mend, a policy that throws included
 */
export async function simulate(request: SimRequest): Promise<Simulated> {
  const prepared = prepare(request);
  const { config, plan } = prepared;
  const loader = new PolicyLoader();
  try {
    const policies = await choosePolicies(loader, config, plan.domains.length);
    return withRandom(request.seed, () => new Simulation(prepared, policies).run());
  } finally {
    loader.close();
  }
}

/** Policies that use Math.random are to repeat as well. */
function withRandom<T>(seed: number, action: () => T): T {
  const { random } = Math;
  const seeded = new Random(seed);
  Math.random = () => seeded.next();
  try {
    return action();
  } finally {
    Math.random = random;
  }
}

class Simulation {
  private readonly kernel: SimKernel;
  private readonly load: Load;
  private readonly memories: StateMemories;
  private readonly inboxMemory: ArrayBuffer;
  private wakeUp = new Samples();
  private wait = new Samples();

  constructor(
    private readonly prepared: Prepared,
    private readonly policies: readonly ChosenPolicy[],
  ) {
    const { request, config, plan } = prepared;
    const { domains } = plan;
    this.kernel = new SimKernel({
      domains: domains.map(({ cpus }) => cpus),
      nrSlots: config.slots,
      taskRingSize: RING_ENTRIES,
      decisionRingSize: RING_ENTRIES,
      sliceUs: config.sliceUs,
      fastPath: config.fastPath,
      askAlways: config.ask === 'always',
      worker: {
        decisionNs: request.decisionNs,
        batchNs: request.batchNs,
        cpus: domains.map(({ workerCpu }) => workerCpu),
      },
      near: domains.map(({ neighbours }) => neighbours),
      stealUs: config.stealUs,
      stallMs: config.stallMs,
      boundInKernel: true,
    });
    this.memories = new StateMemories(config.slots);
    this.inboxMemory = new ArrayBuffer(inboxBytes(domains.length));
    this.load = loadOf(this.kernel, prepared);
  }

  run(): Simulated {
    const { kernel, load } = this;
    const { request, work, plan } = this.prepared;
    const startedMs = performance.now();
    kernel.onBegin = ({ behaviour }, waitNs, wakeNs) => {
      const group = load.tallies.at(behaviour.group ?? 0);
      group?.wait.add(waitNs);
      this.wait.add(waitNs);
      if (wakeNs === undefined) return;
      group?.wakeUp.add(wakeNs);
      this.wakeUp.add(wakeNs);
    };
    for (const { id } of plan.domains) this.startWorker(id);
    planFaults(kernel, request.faults, (domain) => {
      this.startWorker(domain);
    });
    const { warmUpMs, switches } = request;
    const usualMs = work.kind === 'replay' ? LONGEST_MS : (work.spec.durationMs ?? DURATION_MS);
    const longestMs = switches === undefined ? usualMs : LONGEST_MS;
    const endNs = (warmUpMs + (request.durationMs ?? longestMs)) * 1e6;
    try {
      load.start();
      if (warmUpMs > 0) this.warmUp(warmUpMs * 1e6);
      kernel.run(endNs, () => this.ending() !== 'duration');
    } catch (error) {
      if (!(error instanceof NoSlotError)) throw error;
      throw new UserError(`${request.workload}: ${error.message}; --slots gives room for more`, EXIT.config);
    }
    const snapshot = takeSnapshot(kernel.arena);
    const wallS = (performance.now() - startedMs) / 1000;
    return { result: this.result(snapshot, wallS), plan, snapshot };
  }

  /** What happens until then is not counted, unless it is all that happens. */
  private warmUp(untilNs: number): void {
    const { kernel, load } = this;
    kernel.run(untilNs, () => load.isOver());
    if (load.isOver()) return;
    kernel.countAnew();
    for (const tally of load.tallies) tally.countAnew();
    this.wakeUp = new Samples();
    this.wait = new Samples();
  }

  /** A policy that throws ends the simulation: what would follow is of no use to who wrote it. */
  private startWorker(domain: number): void {
    const { kernel } = this;
    const { definition, checked: options } = this.policies[domain];
    const { config, plan } = this.prepared;
    const { neighbours, distances } = plan.domains[domain];
    const guarded = <T>(action: () => T): T => {
      try {
        return action();
      } catch (error) {
        const { policy, message, at } = policyError(definition.name, error);
        const when = `after ${(kernel.nowNs / 1e6).toFixed(3)} ms, in domain ${domain}`;
        const text = `policy ${policy} threw ${when}: ${message}${at === '' ? '' : ` (${at})`}`;
        throw new UserError(text, EXIT.failure, { cause: error });
      }
    };
    const loop = guarded(
      () =>
        new DomainLoop(kernel.arena, {
          domain,
          policy: definition,
          ask: config.ask,
          sliceUs: config.sliceUs,
          stateMemory: this.memories.memoryOf(domain, definition),
          inboxMemory: this.inboxMemory,
          neighbours: { nrDomains: plan.domains.length, nearest: neighbours, distances },
          ...(options === undefined ? {} : { options }),
        }),
    );
    kernel.attach(domain, () => guarded(() => loop.batch()));
  }

  private result(snapshot: Snapshot, wallS: number): SimResult {
    const { kernel, load } = this;
    const { request, config, machine, plan } = this.prepared;
    const { source, definition, options } = this.policies[0];
    const simulatedNs = kernel.nowNs - kernel.countedFromNs;
    const seconds = simulatedNs / 1e9;
    const ended = this.ending();
    const domains = domainResults(kernel, plan, snapshot, this.policies);
    const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
    return {
      format: RESULT_FORMAT,
      nodeland: packageVersion(),
      machine: { ...machine, domains: plan.spec },
      policy: { source, name: definition.name, options: options ?? {} },
      settings: {
        ask: config.ask,
        fastPath: config.fastPath,
        sliceUs: config.sliceUs,
        stallMs: config.stallMs,
        stealUs: config.stealUs,
        slots: config.slots,
        decisionNs: request.decisionNs,
        batchNs: request.batchNs,
      },
      workload: request.workload,
      seed: request.seed,
      faults: [...request.faults],
      simulatedMs: simulatedNs / 1e6,
      warmUpMs: kernel.countedFromNs / 1e6,
      ended,
      switches: kernel.switches,
      switchesPerS: seconds === 0 ? 0 : kernel.switches / seconds,
      tasks: kernel.tasks.length,
      busyShare: mean(kernel.cpus.map(({ busyNs }) => (simulatedNs === 0 ? 0 : busyNs / simulatedNs))),
      workerShare: mean(domains.map(({ workerShare }) => workerShare)),
      decisions: domains.reduce((sum, { counters }) => sum + counters.decided, 0),
      wakeUp: this.wakeUp.percentiles(),
      wait: this.wait.percentiles(),
      groups: load.tallies.map((tally) => tally.result(seconds)),
      domains,
      wall: { seconds: Math.round(wallS * 1000) / 1000 },
    };
  }

  private ending(): SimResult['ended'] {
    const { kernel } = this;
    const { switches } = this.prepared.request;
    if (this.load.isOver()) return 'all tasks exited';
    return switches !== undefined && kernel.switches >= switches ? 'switches' : 'duration';
  }
}
