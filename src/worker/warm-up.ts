/**
 * Runs the very code that will schedule (loop, rings, policy, waiting) on synthetic tasks in private memory, before
 * attach: cold code takes 2 to 20 us per decision, and its compilation allocates and faults.
 */
import { getHeapStatistics } from 'node:v8';
import { SimFeed } from '../kernel/sim-feed.js';
import { letInline } from './compiler.js';
import { commandStop, createControl } from './control.js';
import { BATCH_TASKS, DomainLoop, type DomainSettings } from './domain-loop.js';
import { policyError, runDomain, type StopReason, type WaitMode } from './run.js';
import { makeWaitPort, type WaitPort } from './wait-port.js';

/**
 * Yields per round. What is done once per turn must get hot as well, not only what is done per task; a spinning worker
 * takes many turns between two yields.
 */
const YIELDS_PER_ROUND: Record<WaitMode, number> = { park: 3000, poll: 3000, spin: 400 };
/** Each of the two ports with positions on both sides of the wrap, what is new first. */
const ROUNDS_MIN = 4;
/** In an emulated machine the compiler's thread may need seconds. */
const ROUNDS_MAX = 80;
/** Between rounds the compiler's own thread gets time to finish and install what it made. */
const PAUSE_MS = 2;
const PAUSE_MAX_MS = 50;
/** A stall limit may be as short as 5 ms, but is 20 ms by default. */
const REHEARSAL_MS = 3;
/** On a busy machine too: a full batch is among them. */
const REHEARSAL_TURNS = 16;
/** Compiled code allocates nothing over half a round; looking at the heap does a little. */
const HOT_BYTES = 2048;
/** A multiple of both halves' largest size (supervisor/worker-host.ts sets it). */
const YOUNG_GENERATION_BYTES = 4 * 2 ** 20;
const SLOTS = 256;
/** The first rounds begin just before the positions wrap, so that compiled code knows both sides of 2^31 and 2^32. */
const BEFORE_WRAP = 2 ** 32 - 1000;

export interface WarmUpOptions extends DomainSettings {
  readonly wait: WaitMode;
}

/**
 * warmUp compiles the hot path: round after round until one allocates nothing, which interpreted code always does. It
 * blocks this thread for some 100 ms, so it belongs in a worker.
 *
 * @returns the error when the policy failed on the synthetic tasks already.
 */
export function warmUp(options: WarmUpOptions): StopReason | undefined {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  letInline();
  touchYoungGeneration();
  for (let round = 0, hot = 0; round < ROUNDS_MAX && (round < ROUNDS_MIN || hot < 2); round++) {
    const { reason, grownBytes } = warmUpRound(options, round);
    if (reason.kind === 'policy-error') return reason;
    hot = grownBytes < HOT_BYTES ? hot + 1 : 0;
    if (hot === 0) Atomics.wait(pause, 0, 0, Math.min(PAUSE_MS * (round + 1), PAUSE_MAX_MS));
  }
  return undefined;
}

/**
 * rehearse runs a policy on synthetic tasks for a few milliseconds, while its domain waits: most mistakes show, and the code
 * is no longer quite cold. Making it hot would take the domain's patience (docs/decisions/hot-swap.md).
 *
 * @returns the error when the policy failed
 */
export function rehearse(options: WarmUpOptions): StopReason | undefined {
  const feed = new SimFeed(SLOTS, 0);
  const control = createControl();
  const endMs = performance.now() + REHEARSAL_MS;
  let turns = 0;
  const turn = (): void => {
    turns++;
    feed.drain();
    feed.push(turns % 16 === 0 ? BATCH_TASKS : turns & 3);
    if (turns > REHEARSAL_TURNS && performance.now() > endMs) commandStop(control);
  };
  const reason = runOnFeed(options, feed, control, makeWaitPort(turn));
  return reason.kind === 'policy-error' ? reason : undefined;
}

/** touchYoungGeneration goes round both halves of the young generation, so that their pages are there from then on. */
function touchYoungGeneration(): void {
  const keep: number[][] = [];
  for (let index = 0; index < YOUNG_GENERATION_BYTES / 1024; index++)
    keep[index & 7] = new Array<number>(128).fill(index);
}

interface Round {
  readonly reason: StopReason;
  /** Heap growth over the second half of the round; no number when a collection fell into it. */
  readonly grownBytes: number;
}

function warmUpRound(options: WarmUpOptions, round: number): Round {
  const feed = new SimFeed(SLOTS, (round & 2) === 0 ? BEFORE_WRAP : 0);
  const control = createControl();
  let turns = 0;
  let heapAtHalf = 0;
  let heapAtEnd = 0;
  const last = YIELDS_PER_ROUND[options.wait];
  const turn = (): void => {
    turns++;
    feed.drain();
    feed.setIdle(turns & 1);
    // Full batches, small ones and empty turns.
    feed.push(turns % 16 === 0 ? BATCH_TASKS : turns & 3);
    if (turns === last >> 1) heapAtHalf = heapBytes();
    if (turns < last) return;
    heapAtEnd = heapBytes();
    commandStop(control);
  };
  // Different functions, so that the compiled calls are not specialised for one of them.
  const again = (): void => {
    turn();
  };
  const port = (round & 1) === 0 ? makeWaitPort(turn) : makeWaitPort(again, again);
  const reason = runOnFeed(options, feed, control, port);
  return { reason, grownBytes: heapAtEnd < heapAtHalf ? NaN : heapAtEnd - heapAtHalf };
}

function runOnFeed(options: WarmUpOptions, feed: SimFeed, control: Int32Array, port: WaitPort): StopReason {
  const { policy, ask, sliceUs, wait } = options;
  let loop: DomainLoop;
  try {
    // The memories of the real domain stay out of it.
    loop = new DomainLoop(feed.arena, { domain: 0, policy, ask, sliceUs, options: options.options });
  } catch (error) {
    return policyError(policy.name, error);
  }
  const reason = runDomain({ loop, control, wait, port, policyName: policy.name });
  return reason.kind === 'swap' ? { kind: 'requested' } : reason;
}

function heapBytes(): number {
  return getHeapStatistics().used_heap_size;
}
