/** Lays the arena out by the plan: which programs run with which arguments, in which order. */
import type { RunConfig } from '../config/config.js';
import type { DomainPlan } from '../domain/plan.js';
import type { NativeAddon, SessionId } from '../kernel/native-addon.js';
import { arenaSizeBytes } from '../shm/arena.js';
import {
  CPU,
  CPU_ARGS,
  DECISION,
  DOMAIN,
  DOMAIN_ARGS,
  HEADER,
  LIMIT,
  SETUP_ARGS,
  SLOT,
  TASK_ENTRY,
  WORKER_ARGS,
} from '../shm/layout.generated.js';

const TASK_RING_ENTRIES = 4096;
const DECISION_RING_ENTRIES = 4096;
/** Silence of the main thread after which the kernel side detaches: longer than any pause that ends. */
const HEARTBEAT_LIMIT_MS = 65_000;

/** arenaBytes is what {@link layOut} will use, rounded up. */
export function arenaBytes(plan: DomainPlan, { slots }: Pick<RunConfig, 'slots'>): number {
  const page = LIMIT.PAGE_SIZE;
  const pages = (bytes: number): number => Math.ceil(bytes / page);
  const perDomain =
    pages(DOMAIN.bytes) +
    pages(TASK_RING_ENTRIES * TASK_ENTRY.bytes) +
    pages(DECISION_RING_ENTRIES * DECISION.bytes);
  const shared = pages(HEADER.bytes) + pages(slots * SLOT.bytes) + pages(plan.domainOfCpu.length * CPU.bytes);
  return (shared + perDomain * plan.domains.length) * page;
}

/**
 * layOut makes header, slot table, CPU table and the domains, each domain's part on its node. CPUs that are offline
 * now belong to the first domain, in case they come online.
 *
 * @returns how much of the arena is in use, in bytes
 */
export function layOut(native: NativeAddon, session: SessionId, plan: DomainPlan, config: RunConfig): number {
  const run = (program: string, words: Uint32Array): void => {
    const result = native.runProgram(session, program, new Uint8Array(words.buffer));
    if (result !== 0)
      throw new Error(`${program} failed with ${result}: the shared memory could not be set up`);
  };

  const setup = new Uint32Array(SETUP_ARGS.words);
  setup[SETUP_ARGS.word.nrSlots] = config.slots;
  setup[SETUP_ARGS.word.nrCpus] = plan.domainOfCpu.length;
  setup[SETUP_ARGS.word.nrDomains] = plan.domains.length;
  setup[SETUP_ARGS.word.defaultSliceUs] = config.sliceUs;
  setup[SETUP_ARGS.word.stallMs] = config.stallMs;
  setup[SETUP_ARGS.word.heartbeatLimitMs] = HEARTBEAT_LIMIT_MS;
  setup[SETUP_ARGS.word.askAlways] = config.ask === 'always' ? 1 : 0;
  setup[SETUP_ARGS.word.fastPath] = config.fastPath ? 1 : 0;
  setup[SETUP_ARGS.word.stealUs] = config.stealUs;
  setup[SETUP_ARGS.word.extensionUs] = config.extensionUs;
  run('nl_setup', setup);

  for (const domain of plan.domains) {
    const args = new Uint32Array(DOMAIN_ARGS.words);
    args[DOMAIN_ARGS.word.domain] = domain.id;
    args[DOMAIN_ARGS.word.node] = domain.node;
    args[DOMAIN_ARGS.word.taskRingSize] = TASK_RING_ENTRIES;
    args[DOMAIN_ARGS.word.decisionRingSize] = DECISION_RING_ENTRIES;
    args[DOMAIN_ARGS.word.workerCpu] = domain.workerCpu;
    new Uint8Array(args.buffer, DOMAIN_ARGS.byte.near, LIMIT.MAX_DOMAINS).set(domain.neighbours);
    run('nl_setup_domain', args);
  }

  plan.domainOfCpu.forEach((domain, cpu) => {
    const args = new Uint32Array(CPU_ARGS.words);
    args[CPU_ARGS.word.cpu] = cpu;
    args[CPU_ARGS.word.domain] = Math.max(domain, 0);
    run('nl_setup_cpu', args);
  });

  return arenaSizeBytes(native.sessionMemory(session, HEADER.bytes));
}

/** unregisterWorker takes a dead worker's registration back, so that its domain is scheduled in the kernel. */
export function unregisterWorker(native: NativeAddon, session: SessionId, domain: number, tid: number): void {
  const args = new Uint32Array(WORKER_ARGS.words);
  args[WORKER_ARGS.word.domain] = domain;
  args[WORKER_ARGS.word.tid] = tid;
  native.runProgram(session, 'nl_register_worker', new Uint8Array(args.buffer));
}
