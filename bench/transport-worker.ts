/**
 * The worker's thread in the transport benchmark: one policy, as in a real worker, so that V8 knows only that one.
 *   rounds  pinned to the pair's CPU; for each message does one round: push and drain by SYSCALL programs, decide here.
 *   spin    pinned to another CPU; runs the domain of somebody else's session, spinning, until told to stop.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { SessionId } from '../src/kernel/native-addon.js';
import { native } from '../src/kernel/native.js';
import { builtinPolicy } from '../src/policy/builtin.js';
import { parseOptions } from '../src/policy/options.js';
import type { PolicyDefinition } from '../src/policy/policy.js';
import { openArena } from '../src/shm/arena.js';
import { DomainLoop, type DomainSettings } from '../src/worker/domain-loop.js';
import { runDomain } from '../src/worker/run.js';
import { makeWaitPort } from '../src/worker/wait-port.js';
import { warmUp } from '../src/worker/warm-up.js';
import { Loopback } from './transport/loopback.js';
import type { BatchTimes, RoundSize } from './transport/round.js';

/** TransportTask is what the thread is started with. */
export type TransportTask = { readonly cpu: number; readonly policy: string } & (
  | { readonly kind: 'rounds'; readonly tasksPerBatch: number }
  | {
      readonly kind: 'spin';
      readonly session: SessionId;
      readonly byteLength: number;
      readonly control: SharedArrayBuffer;
    }
);

const task = workerData as TransportTask;
const addon = native();
addon.pinThread([task.cpu]);
const policy = policyNamed(task.policy);
const options = parseOptions(policy, undefined);
const settings: DomainSettings = { domain: 0, policy, options, ask: 'auto', sliceUs: 5000 };
warmUp({ ...settings, wait: 'spin' });
if (task.kind === 'rounds') serveRounds(task.tasksPerBatch);
else spin(task.session, task.byteLength, task.control);

function serveRounds(tasksPerBatch: number): void {
  const loopback = new Loopback(addon, tasksPerBatch);
  const loop = new DomainLoop(loopback.arena, settings);
  parentPort?.on('message', (size: RoundSize | 'close') => {
    if (size === 'close') {
      loopback.close();
      parentPort?.close();
      return;
    }
    const times: BatchTimes[] = [];
    for (let batch = 0; batch < size.batches; batch++)
      times.push(oneBatch(loopback, loop, size.tasksPerBatch));
    parentPort?.postMessage(times);
  });
  parentPort?.postMessage('ready');
}

function oneBatch(loopback: Loopback, loop: DomainLoop, tasks: number): BatchTimes {
  const pushed = loopback.feed(tasks);
  const startMs = performance.now();
  let decided = 0;
  for (let published = loop.batch(); published > 0; published = loop.batch()) decided += published;
  const decideNs = (performance.now() - startMs) * 1e6;
  const drained = loopback.drain(tasks);
  if (pushed.tasks !== tasks || decided !== tasks || drained.tasks !== tasks) {
    throw new Error(`of ${tasks} tasks ${pushed.tasks} pushed, ${decided} decided, ${drained.tasks} drained`);
  }
  return [pushed.elapsedNs, decideNs, drained.elapsedNs];
}

/** Never yields: a spinning worker that owns its CPU. */
function spin(session: SessionId, byteLength: number, control: SharedArrayBuffer): void {
  const loop = new DomainLoop(openArena(addon.sessionMemory(session, byteLength)), settings);
  const nothing = (): void => undefined;
  parentPort?.postMessage('ready');
  runDomain({
    loop,
    control: new Int32Array(control),
    wait: 'spin',
    port: makeWaitPort(nothing),
    policyName: task.policy,
  });
}

function policyNamed(name: string): PolicyDefinition {
  const policy = builtinPolicy(name);
  if (policy === undefined) throw new Error(`no policy ${name}`);
  return policy;
}
