/** The real pool with real workers, whose policies end badly: the thread goes, the process and its other threads stay. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { WORKER_STAT } from '../../src/shm/layout.generated.js';
import type * as hostTypes from '../../src/supervisor/worker-host.js';
import { commandGo, commandMap, commandStop, createControl } from '../../src/worker/control.js';
import { fixture } from './bpf-objects.js';
import { Loopback, type Range, whyNoLoopback } from './loopback.js';

// As it is built: its workers' entry point is JavaScript.
const hostModule = new URL('../../dist/src/supervisor/worker-host.js', import.meta.url).href;
const startModule = new URL('../../dist/bench/start-child.js', import.meta.url);
const tasks = { domain: 0, firstSlot: 0, nrSlots: 64 };
const sickPolicy = fixture('sick-policy.mjs');
/** The one task that makes the sick policy leak, exit or loop. */
const makes = (illness: 'leak' | 'exit' | 'loop'): Range => ({
  domain: 0,
  firstSlot: ['leak', 'exit', 'loop'].indexOf(illness),
  nrSlots: 1,
});

let loopback: Loopback;
let host: hostTypes.WorkerHost;

beforeEach(async (context) => {
  const reason = whyNoLoopback();
  if (reason !== undefined) context.skip(reason);
  const { piscinaHost } = (await import(hostModule)) as typeof hostTypes;
  host = piscinaHost(1);
  loopback = new Loopback('one');
  loopback.prepare(tasks);
});
afterEach(async () => {
  await host.close();
  await loopback.close();
});

interface Started extends hostTypes.HostedWorker {
  readonly control: Int32Array;
}

async function start(policy: string): Promise<Started> {
  const control = createControl();
  commandMap(control);
  const hosted = host.start({ ...loopback.workerTask(0, policy), control: control.buffer });
  hosted.ended.catch(() => undefined);
  await hosted.ready;
  commandGo(control);
  return { ...hosted, control };
}

/** The next worker in the same pool takes what the dead one left in the ring, and new tasks. */
async function expectNextWorkerDecides(): Promise<void> {
  const before = loopback.statistic(0, WORKER_STAT.PUBLISHED);
  const next = await start('vtime');
  loopback.feed(tasks, tasks.nrSlots);
  for (let look = 0; loopback.statistic(0, WORKER_STAT.PUBLISHED) === before && look < 500; look++) await sleep(10);
  expect(loopback.statistic(0, WORKER_STAT.PUBLISHED)).toBeGreaterThan(before);
  commandStop(next.control);
  expect(await next.ended).toEqual({ reason: { kind: 'requested' } });
}

test('a policy that uses up its heap ends its thread, and the next worker decides', async () => {
  const worker = await start(sickPolicy);
  loopback.feed(makes('leak'), 1);
  await expect(worker.ended).rejects.toMatchObject({ code: 'ERR_WORKER_OUT_OF_MEMORY' });
  await expectNextWorkerDecides();
});

test('a policy that calls process.exit ends its thread, and the next worker decides', async () => {
  const worker = await start(sickPolicy);
  loopback.feed(makes('exit'), 1);
  await expect(worker.ended).rejects.toThrow('worker exited with code: 3');
  await expectNextWorkerDecides();
});

test('a policy that loops for ever is ended by kill, and the next worker decides', async () => {
  const worker = await start(sickPolicy);
  loopback.feed(makes('loop'), 1);
  await sleep(100);
  worker.kill();
  await expect(worker.ended).rejects.toThrow('aborted');
  await expectNextWorkerDecides();
});

test('the collection before attach leaves what warm-up compiled', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nodeland-start-'));
  const { stdout, status } = spawnSync(
    process.execPath,
    [
      ...['--trace-deopt', '--trace-deopt-verbose', fileURLToPath(startModule)],
      ...['run', '--duration', '0.1', '--socket', join(folder, 'socket')],
    ],
    { encoding: 'utf8', maxBuffer: 2 ** 26 },
  );
  rmSync(folder, { recursive: true });
  expect(status).toBe(0);
  const dropped = [...stdout.matchAll(/SharedFunctionInfo (\w+)>.*weak objects/g)].map(([, name]) => name);
  // The synthetic tasks' feed is gone, and its code with it, which shows that V8 tells.
  expect(dropped).toContain('drain');
  const deciding = ['runLoop', 'parkTurn', 'batch', 'begin', 'decide', 'enqueue', 'dispatch', 'ready', 'publish'];
  expect(dropped.filter((name) => deciding.includes(name))).toEqual([]);
});
