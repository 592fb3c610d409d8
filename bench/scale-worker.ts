/**
 * A thread of `bench -- scale`, pinned to its CPU, with a part of one session:
 *   self    pushes, decides and drains on its own CPU: a domain of one CPU
 *   worker  decides for a domain that others feed, spinning, as `nodeland run --wait spin` does
 *   feed    pushes into a domain and takes its decisions, as its CPUs do
 *   hand    with `take`, in turns: `hand` pushes a batch, `take` decides it, `hand` drains it, each timed by itself,
 *           so that every step finds the lines it reads in the other core's cache
 * For each message with control words it waits for GO, runs until STOP, and answers with its PartTimes.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { SessionId } from '../src/kernel/native-addon.js';
import { native } from '../src/kernel/native.js';
import { builtinPolicy } from '../src/policy/builtin.js';
import { parseOptions } from '../src/policy/options.js';
import { openArena } from '../src/shm/arena.js';
import { mustStop, waitForCommand } from '../src/worker/control.js';
import { DomainLoop, type DomainSettings } from '../src/worker/domain-loop.js';
import { runDomain } from '../src/worker/run.js';
import { makeWaitPort } from '../src/worker/wait-port.js';
import { warmUp } from '../src/worker/warm-up.js';
import { Feeder, type FeederPlace } from './transport/loopback.js';
import { medianOf } from './transport/statistics.js';

/** ScalePart is what a thread does. */
export interface ScalePart {
  readonly kind: 'self' | 'worker' | 'feed' | 'hand' | 'take';
  readonly cpu: number;
  readonly place: FeederPlace;
  readonly session: SessionId;
  readonly byteLength: number;
  readonly policy: string;
  readonly batchTasks: number;
  /** `hand` and `take` pass its first word to and fro. */
  readonly turn: SharedArrayBuffer;
}

/** PartTimes are medians over chunks, in nanoseconds per task; `total` what one task took of this thread in all. */
export interface PartTimes {
  readonly push: number;
  readonly decide: number;
  readonly drain: number;
  readonly total: number;
}

const part = workerData as ScalePart;
const { batchTasks } = part;
const addon = native();
addon.pinThread([part.cpu]);
const policy = builtinPolicy(part.policy);
if (policy === undefined) throw new Error(`no policy ${part.policy}`);
const options = parseOptions(policy, undefined);
const settings: DomainSettings = { domain: part.place.domain, policy, options, ask: 'auto', sliceUs: 5000 };
const decides = part.kind === 'self' || part.kind === 'worker' || part.kind === 'take';
if (decides) warmUp({ ...settings, wait: 'spin' });
const loop = decides
  ? new DomainLoop(openArena(addon.sessionMemory(part.session, part.byteLength)), settings)
  : undefined;
const feeder =
  part.kind === 'worker' || part.kind === 'take' ? undefined : new Feeder(addon, part.session, part.place);
const turn = new Int32Array(part.turn);
/** So many tasks come back in a chunk: long enough for the clock, shorter than a scheduler's slice. */
const CHUNK_TASKS = 2048;

const samples = {
  push: [] as number[],
  decide: [] as number[],
  drain: [] as number[],
  total: [] as number[],
};
let control: Int32Array = new Int32Array();

parentPort?.on('message', (words: SharedArrayBuffer | 'close') => {
  if (words === 'close') {
    parentPort?.close();
    return;
  }
  control = new Int32Array(words);
  for (const values of Object.values(samples)) values.length = 0;
  if (waitForCommand(control)) play();
  parentPort?.postMessage({
    push: median(samples.push),
    decide: median(samples.decide),
    drain: median(samples.drain),
    total: median(samples.total),
  } satisfies PartTimes);
});
parentPort?.postMessage('ready');

function play(): void {
  if (part.kind === 'self') selfFed();
  else if (part.kind === 'worker') spin();
  else if (part.kind === 'feed') feed();
  else if (part.kind === 'hand') hand();
  else take();
}

/** 0 where nothing was timed. */
function median(values: readonly number[]): number {
  return values.length === 0 ? 0 : medianOf(values);
}

function decideAll(): number {
  let decided = 0;
  if (loop === undefined) return 0;
  for (let published = loop.batch(); published > 0; published = loop.batch()) decided += published;
  return decided;
}

function note(kind: keyof typeof samples, ns: number, tasks: number): void {
  if (tasks > 0) samples[kind].push(ns / tasks);
}

function selfFed(): void {
  if (feeder === undefined) return;
  while (!mustStop(control)) {
    const startMs = performance.now();
    const pushed = feeder.feed(batchTasks);
    const decideMs = performance.now();
    decideAll();
    const decidedMs = performance.now();
    const drained = feeder.drain(batchTasks);
    note('push', pushed.elapsedNs, pushed.tasks);
    note('decide', (decidedMs - decideMs) * 1e6, pushed.tasks);
    note('drain', drained.elapsedNs, drained.tasks);
    note('total', (performance.now() - startMs) * 1e6, drained.tasks);
  }
}

function spin(): void {
  if (loop === undefined) return;
  runDomain({ loop, control, wait: 'spin', port: makeWaitPort(() => undefined), policyName: part.policy });
}

function feed(): void {
  if (feeder === undefined) return;
  let chunkTasks = 0;
  let startMs = performance.now();
  while (!mustStop(control)) {
    const pushed = feeder.feed(batchTasks);
    const drained = feeder.drain(batchTasks);
    note('push', pushed.elapsedNs, pushed.tasks);
    note('drain', drained.elapsedNs, drained.tasks);
    chunkTasks += drained.tasks;
    if (chunkTasks < CHUNK_TASKS) continue;
    const nowMs = performance.now();
    note('total', (nowMs - startMs) * 1e6, chunkTasks);
    chunkTasks = 0;
    startMs = nowMs;
  }
}

/** The turn word: even, the batch is with `hand`; odd, with `take`. */
function awaitTurn(parity: number): boolean {
  while ((Atomics.load(turn, 0) & 1) !== parity) if (mustStop(control)) return false;
  return true;
}

function hand(): void {
  if (feeder === undefined) return;
  while (!mustStop(control)) {
    const pushed = feeder.feed(batchTasks);
    Atomics.add(turn, 0, 1);
    if (!awaitTurn(0)) return;
    const drained = feeder.drain(batchTasks);
    note('push', pushed.elapsedNs, pushed.tasks);
    note('drain', drained.elapsedNs, drained.tasks);
  }
}

function take(): void {
  while (awaitTurn(1)) {
    const startMs = performance.now();
    const decided = decideAll();
    note('decide', (performance.now() - startMs) * 1e6, decided);
    Atomics.add(turn, 0, 1);
  }
}
