/**
 * HOT PATH (the three loops): no allocation, no exceptions, no closures; one catch around all of it.
 *
 * Runs a domain until it is told to stop. How it waits when there is nothing to do:
 *   park  yields after every batch. The yield enters the kernel, which drains the decisions there and keeps the worker off
 *         its CPU until its ring has work, a timer fires or a wake request waits.
 *   spin  keeps its CPU. It yields, as a doorbell, after a batch that published something while a CPU idles, and once
 *         in a while; otherwise it looks again.
 *   poll  blocks on the doorbell while there is nothing to do.
 */
import { placeOrOwn } from '../policy/place.js';
import { WAIT_MODE, WORKER_STATE } from '../shm/layout.generated.js';
import { mustLeave, takeSwap } from './control.js';
import type { DomainLoop } from './domain-loop.js';
import type { WaitPort } from './wait-port.js';

export type WaitMode = 'park' | 'spin' | 'poll';

/** StopReason says why a domain stopped. */
export type StopReason =
  | { readonly kind: 'requested' }
  | { readonly kind: 'policy-error'; readonly policy: string; readonly message: string; readonly at: string };

/** LeaveReason says why the loop was left: to stop, or between two batches for another policy. */
export type LeaveReason = StopReason | { readonly kind: 'swap' };

export interface RunOptions {
  readonly loop: DomainLoop;
  readonly control: Int32Array;
  readonly wait: WaitMode;
  readonly port: WaitPort;
  /** Named in reports of its errors. */
  readonly policyName: string;
}

/** A spinning worker looks so many times before it counts as one turn. */
const SPIN_LOOKS = 256;
/** A spinning worker yields once in so many turns even if nothing seems to wait for it. */
const SPIN_TURNS_PER_YIELD = 64;

/**
 * runDomain runs the loop on this thread and returns when it is told to stop, has an order waiting on its port, or its policy
 * throws. It does not throw itself. Unless for an order, the worker's state is then STOPPING: the kernel side schedules the
 * domain.
 */
export function runDomain(options: RunOptions): LeaveReason {
  const { loop, control, policyName } = options;
  loop.status.waitMode(WAIT_MODE[waitModeName(options.wait)]);
  loop.status.state(WORKER_STATE.READY);
  let reason: StopReason = { kind: 'requested' };
  try {
    runLoop(options);
    if (takeSwap(control)) return { kind: 'swap' };
    loop.policy.unload?.();
  } catch (error) {
    reason = policyError(policyName, error);
  }
  loop.status.state(WORKER_STATE.STOPPING);
  return reason;
}

function runLoop({ loop, control, wait, port }: RunOptions): void {
  let turn = 0;
  do {
    turn = (turn + 1) | 0;
    if (wait === 'park') parkTurn(loop, port);
    else if (wait === 'spin') spinTurn(loop, port, turn);
    else pollTurn(loop, port);
    // Taken back before the next turn looks, so that a request made after that look is not lost.
    loop.status.woken();
  } while (!mustLeave(control));
}

function parkTurn(loop: DomainLoop, port: WaitPort): void {
  if (loop.batch() === 0) loop.status.alive();
  port.yieldThread();
}

/** Looks first: between a look that finds work and the batch there is nothing else to do. */
function spinTurn(loop: DomainLoop, port: WaitPort, turn: number): void {
  for (let look = 0; look < SPIN_LOOKS; look++) if (loop.hasWork()) break;
  if (loop.batch() === 0) {
    loop.status.alive();
    if ((turn & (SPIN_TURNS_PER_YIELD - 1)) === 0) port.yieldThread();
  } else if (loop.status.hasIdleCpu()) port.yieldThread();
}

function pollTurn(loop: DomainLoop, port: WaitPort): void {
  if (loop.batch() === 0) loop.status.alive();
  // With something still held, the decision ring is full: yielding lets the kernel side drain it.
  if (loop.hasWork()) port.yieldThread();
  else port.block();
}

function waitModeName(wait: WaitMode): keyof typeof WAIT_MODE {
  switch (wait) {
    case 'park':
      return 'PARK';
    case 'spin':
      return 'SPIN';
    case 'poll':
      return 'POLL';
  }
}

/** policyError names the policy and where it threw. */
export function policyError(policy: string, error: unknown): Extract<StopReason, { kind: 'policy-error' }> {
  const message = error instanceof Error ? error.message : String(error);
  return { kind: 'policy-error', policy, message, at: placeOrOwn(error) };
}
