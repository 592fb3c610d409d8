/** The life of one worker thread. */
import type { NativeAddon, SessionId } from '../kernel/native-addon.js';
import { native } from '../kernel/native.js';
import { loadPolicy } from '../policy/load.js';
import type { PolicyDefinition } from '../policy/policy.js';
import { openArena } from '../shm/arena.js';
import { WORKER_ARGS, WORKER_STAT } from '../shm/layout.generated.js';
import type { WorkerStatus } from '../shm/worker-status.js';
import { waitForCommand } from './control.js';
import { DomainLoop } from './domain-loop.js';
import type { ThreadFaults, WorkerMessage, WorkerResult, WorkerTask } from './messages.js';
import { policyError, runDomain, type StopReason } from './run.js';
import { makeWaitPort } from './wait-port.js';
import { warmUp } from './warm-up.js';

/** A blocked worker looks up this often, for its progress word's sake. */
const BLOCK_MS = 100;

/**
 * runWorker runs one domain on this thread:
 *   1. Names and pins the thread, so that everything below touches memory from its own node.
 *   2. Maps the memory, loads the policy and warms the hot path up.
 *   3. Registers the thread with the kernel side, says `ready`, and blocks until GO or STOP.
 *   4. Runs the loop; nothing allocates or waits for another thread from here on.
 *   5. Takes the registration back, says `stopped`, and returns the same.
 *
 * A policy that fails is a result, not an exception.
 *
 * @throws whatever the addon refuses, and UserError when the policy cannot be found.
 */
export async function runWorker(task: WorkerTask): Promise<WorkerResult> {
  const addon = native();
  addon.setThreadName(task.threadName);
  addon.pinThread([task.cpu]);
  if (task.partial) addon.schedExtSelf(true);
  const policy = await loadPolicy(task.policy);
  const result = runLoaded(addon, task, policy);
  post(task, { kind: 'stopped', domain: task.domain, ...result });
  task.port.close();
  return result;
}

function runLoaded(addon: NativeAddon, task: WorkerTask, policy: PolicyDefinition): WorkerResult {
  const noFaults: ThreadFaults = { minor: 0, major: 0 };
  const failure = warmUp({ ...task, policy });
  if (failure !== undefined) return { reason: failure, faults: noFaults };
  const arena = openArena(addon.sessionMemory(task.session, task.memoryBytes));
  let loop: DomainLoop;
  try {
    loop = new DomainLoop(arena, { ...task, policy });
  } catch (error) {
    return { reason: policyError(policy.name, error), faults: noFaults };
  }
  const control = new Int32Array(task.control);
  const faults = new FaultCounter(addon, loop.status);
  const port = makeWaitPort(
    () => {
      addon.yieldThread();
    },
    () => {
      addon.doorbellWait(task.session, task.domain, BLOCK_MS);
    },
    () => {
      faults.update();
    },
  );
  const tid = register(addon, task.session, task.domain, true);
  let reason: StopReason = { kind: 'requested' };
  try {
    post(task, { kind: 'ready', domain: task.domain, tid });
    if (waitForCommand(control)) {
      faults.start();
      reason = runDomain({ loop, control, wait: task.wait, port, policyName: policy.name });
      faults.update();
    }
  } finally {
    register(addon, task.session, task.domain, false);
  }
  return { reason, faults: faults.sinceStart() };
}

/** register tells the kernel side that this thread is, or no longer is, a domain's worker. It returns the thread id. */
function register(addon: NativeAddon, session: SessionId, domain: number, registered: boolean): number {
  const args = new Uint32Array(WORKER_ARGS.words);
  args[WORKER_ARGS.word.domain] = domain;
  args[WORKER_ARGS.word.registered] = registered ? 1 : 0;
  const result = addon.runProgram(session, 'nl_register_worker', new Uint8Array(args.buffer));
  if (result !== 0) {
    throw new Error(`domain ${domain}: the kernel side refused its worker's registration (${result})`);
  }
  return args[WORKER_ARGS.word.tid];
}

function post(task: WorkerTask, message: WorkerMessage): void {
  task.port.postMessage(message);
}

/** FaultCounter keeps this thread's page faults since the loop began in the domain's statistics. */
class FaultCounter {
  private readonly now = new Float64Array(2);
  private readonly first = new Float64Array(2);

  constructor(
    private readonly addon: NativeAddon,
    private readonly status: WorkerStatus,
  ) {}

  /** start runs update once first, so that its own first faults are not counted. */
  start(): void {
    this.update();
    this.addon.pageFaultsInto(this.first);
    this.update();
  }

  /** update allocates nothing. */
  update(): void {
    this.addon.pageFaultsInto(this.now);
    this.status.setStatistic(WORKER_STAT.MINOR_FAULTS, this.now[0] - this.first[0]);
    this.status.setStatistic(WORKER_STAT.MAJOR_FAULTS, this.now[1] - this.first[1]);
  }

  sinceStart(): ThreadFaults {
    return { minor: this.now[0] - this.first[0], major: this.now[1] - this.first[1] };
  }
}
