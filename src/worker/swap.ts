/** Another policy for a running domain, without detaching. */
import { receiveMessageOnPort } from 'node:worker_threads';
import { UserError } from '../cli/errors.js';
import { importPolicy } from '../policy/import.js';
import type { DomainLoop } from './domain-loop.js';
import type { PolicyOrder, SwapAnswer, WorkerTask } from './messages.js';
import { policyError, type StopReason } from './run.js';
import { rehearse } from './warm-up.js';

/**
 * swapPolicy takes the order from the port, between two batches of the loop:
 *   1. The module is imported, which lets this thread sleep, and tried on synthetic tasks. Whatever fails up to here, or in
 *      its `create`, leaves the old policy in place.
 *   2. It replaces the old one and gets what that one held.
 *   3. The answer is posted.
 * Meanwhile nobody looks at the task ring: when that takes longer than the stall limit, the domain is scheduled in the
 * kernel until the loop goes on.
 *
 * @returns the name of the policy that is in place, or how it failed when it was given the tasks
 */
export async function swapPolicy(
  task: WorkerTask,
  loop: DomainLoop,
  current: string,
): Promise<string | StopReason> {
  const sinceMs = performance.now();
  const order = receiveMessageOnPort(task.port)?.message as PolicyOrder | undefined;
  if (order === undefined) return current;
  const { options, stateMemory } = order;
  const before = loop.policy;
  let name = current;
  try {
    const policy = await importPolicy(order.policy);
    const failure = rehearse({ ...task, policy, options });
    if (failure?.kind === 'policy-error') return refuse(task, current, `${failure.message} (${failure.at})`);
    ({ name } = policy);
    const problem = loop.replace({ policy, options, stateMemory });
    const warning = problem === undefined ? undefined : unloadProblem(current, problem);
    answer(task, { kind: 'swapped', warning, awayMs: performance.now() - sinceMs });
    return name;
  } catch (error) {
    // It failed on the tasks it was given.
    if (loop.policy !== before) return policyError(name, error);
    if (error instanceof UserError) return refuse(task, current, error.message);
    const { message, at } = policyError(name, error);
    return refuse(task, current, `${message} (${at})`);
  }
}

function refuse(task: WorkerTask, current: string, message: string): string {
  answer(task, { kind: 'refused', message });
  return current;
}

function answer(task: WorkerTask, message: SwapAnswer): void {
  task.port.postMessage(message);
}

function unloadProblem(policy: string, error: unknown): string {
  const { message, at } = policyError(policy, error);
  return `unload of policy ${policy}: ${message} (${at})`;
}
