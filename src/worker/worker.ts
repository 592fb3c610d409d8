/** The life of one worker thread. */
import type { NativeAddon, SessionId } from '../kernel/native-addon.js';
import { native } from '../kernel/native.js';
import { importPolicy } from '../policy/import.js';
import type { PolicyDefinition } from '../policy/policy.js';
import { arenaSizeBytes, openArena, touchPages } from '../shm/arena.js';
import { HEADER, WORKER_ARGS, WORKER_STATE } from '../shm/layout.generated.js';
import { collect } from './compiler.js';
import { waitForCommand, waitForMemory } from './control.js';
import { DomainLoop } from './domain-loop.js';
import type { WorkerMessage, WorkerResult, WorkerTask } from './messages.js';
import { policyError, runDomain, type RunOptions, type StopReason } from './run.js';
import { swapPolicy } from './swap.js';
import { makeWaitPort } from './wait-port.js';
import { warmUp } from './warm-up.js';

/** A blocked worker looks up this often, for its progress word's sake. */
const BLOCK_MS = 100;
/** Calls of the port's own functions before the loop, so that they are compiled by then. */
const WARM_UP_CALLS = 10_000;

/**
 * runWorker runs one domain on this thread:
 *   1. Names and pins the thread, so that everything below touches memory from its own node.
 *   2. Loads the policy and warms the hot path up.
 *   3. Blocks until the shared memory is there, and maps it.
 *   4. Registers the thread with the kernel side, says `ready`, and blocks until GO or STOP.
 *   5. Runs the loop; nothing allocates or waits for another thread from here on, except to take another policy
 *      (swap.ts).
 *   6. Takes the registration back, says `stopped`, and returns the same.
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
  const policy = await importPolicy(task.policy);
  const result = await runLoaded(addon, task, policy);
  post(task, { kind: 'stopped', domain: task.domain, ...result });
  task.port.close();
  return result;
}

async function runLoaded(
  addon: NativeAddon,
  task: WorkerTask,
  policy: PolicyDefinition,
): Promise<WorkerResult> {
  const failure = warmUp({ ...task, policy });
  if (failure !== undefined) return { reason: failure };
  const port = makeWaitPort(
    () => {
      addon.yieldThread();
    },
    () => {
      addon.doorbellWait(task.session, task.domain, BLOCK_MS);
    },
  );
  for (let call = 0; call < WARM_UP_CALLS; call++) {
    port.yieldThread();
  }
  const control = new Int32Array(task.control);
  if (!waitForMemory(control)) return { reason: { kind: 'requested' } };
  const arena = openArena(mapMemory(addon, task.session));
  touchPages(arena);
  let loop: DomainLoop;
  try {
    loop = new DomainLoop(arena, { ...task, policy });
  } catch (error) {
    return { reason: policyError(policy.name, error) };
  }
  const options: RunOptions = { loop, control, wait: task.wait, port, policyName: policy.name };
  // What warm-up left would be collected seconds after attach, which can take longer than the domain's patience. Not before
  // there is a loop: compiled code holds the shapes of its objects weakly, and goes with the last of them.
  collect();
  const tid = register(addon, task.session, task.domain, true);
  let reason: StopReason = { kind: 'requested' };
  try {
    post(task, { kind: 'ready', domain: task.domain, tid });
    if (waitForCommand(control)) reason = await runPolicies(task, options);
  } finally {
    register(addon, task.session, task.domain, false);
  }
  return { reason };
}

/** Runs the loop, and whenever another policy is ordered, with that one. */
async function runPolicies(task: WorkerTask, first: RunOptions): Promise<StopReason> {
  const { loop } = first;
  for (let options = first; ;) {
    const reason = runDomain(options);
    if (reason.kind !== 'swap') return reason;
    const next = await swapPolicy(task, loop, options.policyName);
    if (typeof next !== 'string') {
      loop.status.state(WORKER_STATE.STOPPING);
      return next;
    }
    options = { ...options, policyName: next };
  }
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

/** mapMemory gives this thread its own buffer over as much of the arena as is in use. */
function mapMemory(addon: NativeAddon, session: SessionId): ArrayBuffer {
  return addon.sessionMemory(session, arenaSizeBytes(addon.sessionMemory(session, HEADER.bytes)));
}

function post(task: WorkerTask, message: WorkerMessage): void {
  task.port.postMessage(message);
}
