/**
 * Runs the very code that will schedule (loop, rings, policy, waiting) on synthetic tasks in private memory, before
 * attach: cold code takes 2 to 20 us per decision, and its compilation allocates and faults.
 */
import { SimFeed } from '../kernel/sim-feed.js';
import { commandStop, createControl } from './control.js';
import { BATCH_TASKS, DomainLoop, type DomainSettings } from './domain-loop.js';
import { policyError, runDomain, type StopReason, type WaitMode } from './run.js';
import { makeWaitPort } from './wait-port.js';

/** Synthetic tasks in all; the compiler is done after some 10,000. */
const WARM_UP_TASKS = 40_000;
const ROUNDS = 8;
/** Between rounds the compiler's own thread gets time to finish and install what it made. */
const PAUSE_MS = 2;
const SLOTS = 256;
/** Half the rounds begin just before the positions wrap, so that compiled code knows both sides of 2^31 and 2^32. */
const BEFORE_WRAP = 2 ** 32 - 1000;

export interface WarmUpOptions extends DomainSettings {
  readonly wait: WaitMode;
}

/**
 * warmUp compiles the hot path. It blocks this thread for some 30 ms, so it belongs in a worker.
 *
 * @returns the error when the policy failed on the synthetic tasks already.
 */
export function warmUp(options: WarmUpOptions): StopReason | undefined {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let round = 0; round < ROUNDS; round++) {
    const reason = warmUpRound(options, round);
    if (reason.kind === 'policy-error') return reason;
    Atomics.wait(pause, 0, 0, PAUSE_MS);
  }
  return undefined;
}

function warmUpRound(options: WarmUpOptions, round: number): StopReason {
  const feed = new SimFeed(SLOTS, (round & 1) === 0 ? 0 : BEFORE_WRAP);
  const control = createControl();
  let turns = 0;
  const turn = (): void => {
    turns++;
    feed.drain();
    feed.setIdle(turns & 1);
    // Empty turns, single tasks and full batches.
    if (turns % 5 !== 0) feed.push(1 + ((turns * 29) % BATCH_TASKS));
    if (feed.decided >= WARM_UP_TASKS / ROUNDS || turns > WARM_UP_TASKS) commandStop(control);
  };
  // Different functions, so that the compiled calls are not specialised for one of them.
  const again = (): void => {
    turn();
  };
  const port = (round & 2) === 0 ? makeWaitPort(turn) : makeWaitPort(again, again, () => (turns |= 0));
  let loop: DomainLoop;
  try {
    loop = new DomainLoop(feed.arena, { ...options, domain: 0 });
  } catch (error) {
    return policyError(options.policy.name, error);
  }
  return runDomain({ loop, control, wait: options.wait, port, policyName: options.policy.name });
}
