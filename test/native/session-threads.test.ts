import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { native } from '../../src/kernel/native.js';
import type { SessionId } from '../../src/kernel/native-addon.js';
import { BpfObjects, fixture, whyNoBpf } from './bpf-objects.js';

const missing = whyNoBpf();
const byteLength = 4 * 4096;
let objects: BpfObjects;
let probe: string;
let session: SessionId;
let words: Uint32Array;
let workers: Worker[] = [];

beforeAll(() => {
  if (missing !== undefined) return;
  objects = new BpfObjects();
  probe = objects.compile('probe');
});
afterAll(() => {
  if (missing === undefined) objects.remove();
});
beforeEach((context) => {
  if (missing !== undefined) context.skip(missing);
  session = native().openSession({ objectPath: probe, arenaBytes: 1 << 20 });
  native().loadSession(session);
  native().runProgram(session, 'alloc', new Uint8Array(new Uint32Array([4, 0, 0, 0, 0, 0]).buffer));
  words = new Uint32Array(native().sessionMemory(session, byteLength));
});
afterEach(async () => {
  if (missing !== undefined) return;
  await Promise.all(workers.map((worker) => worker.terminate()));
  workers = [];
  native().closeSession(session);
});

interface Answer {
  readonly result?: unknown;
  readonly code?: string;
}
const answerOf = async (worker: Worker): Promise<Answer> => ((await once(worker, 'message')) as [Answer])[0];
const startWorker = async (): Promise<Worker> => {
  const worker = new Worker(fixture('session-worker.mjs'), { workerData: { session, byteLength } });
  workers.push(worker);
  expect((await answerOf(worker)).result).not.toBe(native().threadId());
  return worker;
};
const ask = (worker: Worker, order: object): Promise<Answer> => {
  const answer = answerOf(worker);
  worker.postMessage(order);
  return answer;
};

describe('memory', () => {
  test('is the same in the main thread, in workers and in BPF', async () => {
    const [one, two] = await Promise.all([startWorker(), startWorker()]);
    words[1] = 1;
    await ask(one, { add: [1, 10] });
    native().runProgram(session, 'count', new Uint8Array(new Uint32Array([100, 0]).buffer));
    expect(await ask(two, { read: 1 })).toEqual({ result: 111 });
  });

  test('outlives a worker that ends while it is writing', async () => {
    const worker = await startWorker();
    worker.postMessage({ write: 2 });
    await expect.poll(() => Atomics.load(words, 2)).toBeGreaterThan(0);
    await worker.terminate();
    const stopped = Atomics.load(words, 2);
    words[2] = stopped + 1;
    expect(await ask(await startWorker(), { read: 2 })).toEqual({ result: stopped + 1 });
  });

  test('stays for a worker when the main thread closes the session', async () => {
    const worker = await startWorker();
    const other = native().openSession({ objectPath: probe, arenaBytes: 4096 });
    native().closeSession(session);
    session = other;
    expect(await ask(worker, { add: [0, 1] })).toEqual({ result: 41 });
    expect(await ask(worker, { ring: 0 })).toEqual({ code: 'EBADF' });
  });
});

describe('a doorbell', () => {
  test('rings from BPF, once for all records so far', () => {
    native().createDoorbell(session, 3);
    expect(native().doorbellWait(session, 3, 0)).toBe(false);
    const domain = new Uint8Array(new Uint32Array([3]).buffer);
    for (let i = 0; i < 1000; i++) native().runProgram(session, 'ring', domain);
    expect(native().doorbellWait(session, 3, 0)).toBe(true);
    expect(native().doorbellWait(session, 3, 0)).toBe(false);
    expect(native().runProgram(session, 'ring', domain)).toBe(0); // no record was left behind
  });

  test('wakes a blocked worker, from BPF and from another thread', async () => {
    native().createDoorbell(session, 0);
    const worker = await startWorker();
    const byThread = ask(worker, { waitOn: 0, timeoutMs: 60_000 });
    native().ringDoorbell(session, 0);
    expect(await byThread).toEqual({ result: true });
    const byBpf = ask(worker, { waitOn: 0, timeoutMs: 60_000 });
    native().runProgram(session, 'ring', new Uint8Array(4));
    expect(await byBpf).toEqual({ result: true });
  });

  test('has one waiter, is made once, and only for a domain', async () => {
    native().createDoorbell(session, 0);
    expect(() => native().createDoorbell(session, 0)).toThrow('has a doorbell');
    expect(() => native().createDoorbell(session, 64)).toThrow(RangeError);
    expect(() => native().doorbellWait(session, 1, 0)).toThrow('no doorbell');
    const waiting = ask(await startWorker(), { waitOn: 0, timeoutMs: 60_000 });
    await expect.poll(() => codeOf(() => native().doorbellWait(session, 0, 0))).toBe('EBUSY');
    native().ringDoorbell(session, 0);
    expect(await waiting).toEqual({ result: true });
  });
});

const codeOf = (attempt: () => unknown): unknown => {
  try {
    attempt();
    return undefined;
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
};

describe('locked memory', () => {
  test.each(['end', 'exit', 'unlock'])('survives worker churn and garbage collection (%s)', (how) => {
    const options = { encoding: 'utf8', timeout: 60_000 } as const;
    const child = spawnSync(process.execPath, ['--expose-gc', fixture('lock-churn.mjs'), probe, how], options);
    expect({ status: child.status, signal: child.signal, stderr: child.stderr }).toEqual({
      status: 0,
      signal: null,
      stderr: '',
    });
  });
});
