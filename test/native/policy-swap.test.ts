/** A real worker in the real pool gets other policies while tasks flow through real rings: each is decided exactly once. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

import type * as loadTypes from '../../src/policy/load.js';
import { stateBytes } from '../../src/policy/state.js';
import { WORKER_STAT } from '../../src/shm/layout.generated.js';
import type * as hostTypes from '../../src/supervisor/worker-host.js';
import { commandGo, commandMap, commandStop, commandSwap, createControl } from '../../src/worker/control.js';
import type { PolicyOrder, SwapAnswer } from '../../src/worker/messages.js';
import { checkedOptions, Loopback, sumOf, whyNoLoopback } from './loopback.js';

// As they are built: their workers' entry point is JavaScript.
const dist = (path: string): string => new URL(`../../dist/src/${path}`, import.meta.url).href;
const tasks = { domain: 0, firstSlot: 0, nrSlots: 512 };

let folder: string;
let loopback: Loopback;
let host: hostTypes.WorkerHost;
let loader: loadTypes.PolicyLoader;
let worker: hostTypes.HostedWorker;
let control: Int32Array<SharedArrayBuffer>;

beforeEach(async (context) => {
  const reason = whyNoLoopback();
  if (reason !== undefined) context.skip(reason);
  folder = mkdtempSync(join(tmpdir(), 'nodeland-swap-'));
  const { PolicyLoader } = (await import(dist('policy/load.js'))) as typeof loadTypes;
  const { piscinaHost } = (await import(dist('supervisor/worker-host.js'))) as typeof hostTypes;
  loader = new PolicyLoader();
  host = piscinaHost(1);
  loopback = new Loopback('one');
  loopback.prepare(tasks);
  control = createControl();
  commandMap(control);
  worker = host.start({ ...loopback.workerTask(0, 'vtime'), control: control.buffer });
  worker.ended.catch(() => undefined);
  await worker.ready;
  commandGo(control);
});
afterEach(async () => {
  loader.close();
  await host.close();
  await loopback.close();
  rmSync(folder, { recursive: true });
});

function swap(order: PolicyOrder): Promise<SwapAnswer> {
  const answered = worker.swap(order);
  commandSwap(control);
  return answered;
}

/** mine.ts in TypeScript: first come, first served, with `enqueue` and `create` as given, and a mark for each new task. */
async function compiled(enqueue = '', create = ''): Promise<string> {
  const path = join(folder, 'mine.ts');
  const text = `import { CPU_ANY, definePolicy, type Slot, SlotFifo } from 'nodeland';
export default definePolicy({ name: 'mine', summary: '', state: { inits: 'u32' }, create({ nrSlots, decisions, clock, state }) {
  ${create}
  const held = new SlotFifo(nrSlots);
  return {
    taskInit(slot: Slot) { state.inits[slot] += 1; },
    enqueue(slot: Slot) {
      ${enqueue}
      held.push(slot);
    },
    dispatch(room: number) {
      for (; room > 0 && held.size > 0; room--) {
        const slot = held.shift();
        decisions.keyNs[slot] = clock.clockNs();
        decisions.publish(slot, 0, CPU_ANY, 0);
      }
    },
  };
} });
`;
  writeFileSync(path, text);
  // The main thread's look is not what is tested here.
  const { Compiler } = (await import(dist('policy/compile.js'))) as { Compiler: new () => { compile(path: string, name: string): Promise<string>; close(): void } };
  const compiler = new Compiler();
  compilers.push(compiler);
  return compiler.compile(path, './mine.ts');
}
const compilers: { close(): void }[] = [];
afterEach(() => {
  for (const compiler of compilers.splice(0)) compiler.close();
});

/** Feeds and drains until `until` resolves and everything that was fed came back. @returns what was fed */
async function flow(until: Promise<unknown>): Promise<number> {
  const drained = [];
  let fed = 0;
  const over = { yet: false };
  void until.finally(() => (over.yet = true));
  let drainedCount = 0;
  for (let turn = 0; turn < 20_000 && !(over.yet && drainedCount === fed); turn++) {
    if (!over.yet) fed += loopback.feed(tasks, 64).pushed;
    const one = loopback.drain(0, 256);
    drained.push(one);
    drainedCount += one.drained;
    await sleep(1);
  }
  const { drained: count, ...wrong } = sumOf(drained);
  expect(wrong).toEqual({ stale: 0, deadSlot: 0, badCpu: 0, sliceClamped: 0, keyClamped: 0 });
  expect(count).toBe(fed);
  expect(loopback.asked(tasks)).toBe(0);
  return fed;
}

test('policies change back and forth while tasks flow, and each task is decided exactly once', async () => {
  const mine = await compiled();
  const state = { inits: 'u32' } as const;
  const stateMemory = new SharedArrayBuffer(stateBytes(state, loopback.nrSlots));
  const awayMs: number[] = [];
  const fed = await flow(
    (async () => {
      for (const policy of [mine, 'fifo', mine, 'vtime', mine, 'fifo']) {
        await sleep(100);
        const options = checkedOptions(policy);
        const answer = await swap({ policy, options, stateMemory: policy === mine ? stateMemory : undefined });
        expect(answer).toMatchObject({ kind: 'swapped', warning: undefined });
        if (answer.kind === 'swapped') awayMs.push(answer.awayMs);
      }
    })(),
  );
  expect(fed).toBeGreaterThan(1000);
  console.log(`${fed} tasks; away for ${awayMs.map((ms) => ms.toFixed(1)).join(', ')} ms`);
  // Three lives of the policy, one memory: each task was new to it once.
  const inits = new Uint32Array(stateMemory, 0, tasks.nrSlots);
  expect([...inits].filter((count) => count > 1)).toEqual([]);
  expect(inits.filter((count) => count === 1).length).toBeGreaterThan(50);
  commandStop(control);
  expect(await worker.ended).toEqual({ reason: { kind: 'requested' } });
});

test('tasks that a policy keeps are carried over to the next, which decides them', async () => {
  const keeping = join(folder, 'keeping.mjs');
  writeFileSync(keeping, "export default { name: 'keeping', summary: '', create: () => ({ enqueue() {}, dispatch() {} }) };");
  expect(await swap({ policy: pathToFileURL(keeping).href })).toMatchObject({ kind: 'swapped' });
  const { pushed } = loopback.feed(tasks, 100);
  for (let look = 0; loopback.statistic(0, WORKER_STAT.TAKEN) < pushed && look < 500; look++) await sleep(10);
  expect(loopback.asked(tasks)).toBe(pushed);
  expect(await swap({ policy: 'fifo' })).toMatchObject({ kind: 'swapped' });
  let count = 0;
  for (let look = 0; count < pushed && look < 500; look++) {
    count += loopback.drain(0, 256).drained;
    await sleep(10);
  }
  expect(count).toBe(pushed);
  expect(loopback.asked(tasks)).toBe(0);
});

test.each<[string, string, string, string]>([
  ['whose create throws', '', "throw new Error('no');", 'no ('],
  ['that throws on synthetic tasks', "if (slot > 3) throw new Error('not that one');", '', 'not that one (Object.enqueue ('],
])('a policy %s is refused with its file and line, and the old one goes on', async (_what, enqueue, create, said) => {
  const mine = await compiled(enqueue, create);
  const answer = await swap({ policy: mine });
  expect(answer.kind).toBe('refused');
  const message = answer.kind === 'refused' ? answer.message : '';
  expect(message).toContain(said);
  expect(message).toMatch(/mine\.ts:\d+:\d+/);
  const before = loopback.statistic(0, WORKER_STAT.PUBLISHED);
  await flow(sleep(100));
  expect(loopback.statistic(0, WORKER_STAT.PUBLISHED)).toBeGreaterThan(before);
});

test('a policy that fails on the tasks it is given ends its worker with its file and line', async () => {
  const mine = await compiled("if (nrSlots > 256) throw new Error('too real');");
  expect(await swap({ policy: mine })).toMatchObject({ kind: 'swapped' });
  loopback.feed(tasks, 1);
  expect(await worker.ended).toMatchObject({
    reason: {
      kind: 'policy-error',
      policy: 'mine',
      message: 'too real',
      at: expect.stringContaining(`${folder}/mine.ts:8:`) as string,
    },
  });
});

test('a policy that never gets done with being loaded can be ended, and the next worker decides', async () => {
  const endless = join(folder, 'endless.mjs');
  writeFileSync(endless, 'for (;;);');
  const answered = swap({ policy: pathToFileURL(endless).href });
  answered.catch(() => undefined);
  await sleep(200);
  worker.kill();
  await expect(answered).rejects.toThrow('the worker ended');
  control = createControl();
  commandMap(control);
  worker = host.start({ ...loopback.workerTask(0, 'fifo'), control: control.buffer });
  await worker.ready;
  commandGo(control);
  await flow(sleep(50));
});
