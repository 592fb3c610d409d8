/** Records through the real ring buffers: SYSCALL programs put them, from several CPUs, and a recorder writes them down. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';

import { native } from '../../src/kernel/native.js';
import { recordSource } from '../../src/kernel/record-source.js';
import { FileRecorder } from '../../src/record/recorder.js';
import { readRecording } from '../../src/record/read.js';
import { FEED_ARGS, RECORD, RECORD_KIND } from '../../src/shm/layout.generated.js';
import { header } from '../unit/recordings.js';
import { Loopback, twoCpus, whyNoLoopback } from './loopback.js';

const missing = whyNoLoopback();
const folder = mkdtempSync(join(tmpdir(), 'nodeland-record-'));
const SMALL_RING = 4096;

let loopback: Loopback;
beforeEach((context) => {
  if (missing !== undefined) context.skip(missing);
  loopback = new Loopback('node');
});
afterEach(async () => {
  if (missing === undefined) await loopback.close();
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Puts so many records on a CPU, with pids from `firstPid` on; tells how many were put. */
async function feed(cpu: number, firstPid: number, count: number): Promise<number> {
  const args = new Uint32Array(FEED_ARGS.words);
  args[FEED_ARGS.word.firstSlot] = firstPid;
  args[FEED_ARGS.word.count] = count;
  await native().runProgramAsync(loopback.session, 'nl_feed_records', new Uint8Array(args.buffer), cpu);
  return args[FEED_ARGS.word.pushed];
}

const source = (): ReturnType<typeof recordSource> =>
  recordSource(native(), loopback.session, loopback.plan.domains.length);

describe('the ring buffers for records', () => {
  test('are not there while nothing is recorded', async () => {
    expect(await feed(0, 1, 100)).toBe(0);
    expect(() => native().drainRecorder(loopback.session, new Uint8Array(1024))).toThrow('nothing is recorded');
  });

  test('lose nothing that is drained in time: all of two CPUs is in the file, each in its order', async () => {
    const file = join(folder, 'two.rec');
    const each = 20_000;
    for (let turn = 0; turn < 3; turn++) {
      const limits = { maxBytes: 1 << 26 };
      const recorder = await FileRecorder.begin(source(), file, true, limits, (startNs) => ({
        ...header(),
        startNs,
      }));
      const [first, second] = twoCpus();
      for (let part = 0; part < 5; part++) {
        const put = await Promise.all([
          feed(first, 1_000_000 + part * each, each),
          feed(second, 2_000_000 + part * each, each),
        ]);
        expect(put).toEqual([each, each]);
      }
      const status = await recorder.stop();
      expect(status).toMatchObject({ records: 10 * each, lost: 0, why: 'stopped' });
      const { words, count, lost, endNs, header: head } = readRecording(file);
      expect({ count, lost }).toEqual({ count: 10 * each, lost: 0 });
      expect(endNs).toBeGreaterThan(head.startNs);
      const pids = Array.from({ length: count }, (_, at) => words[at * RECORD.words + RECORD.word.pid]);
      for (const from of [1_000_000, 2_000_000]) {
        const own = pids.filter((pid) => pid >= from && pid < from + 1_000_000);
        expect(own).toEqual(Array.from({ length: 5 * each }, (_, index) => from + index));
      }
      expect(words[RECORD.word.cpu] >>> 16).toBe(RECORD_KIND.RAN);
    }
  });

  test('count what finds them full, and never wait', async () => {
    const addon = native();
    const { session } = loopback;
    const recorded = source();
    addon.openRecorder(session, 1, SMALL_RING);
    expect(() => {
      addon.openRecorder(session, 1, SMALL_RING);
    }).toThrow('a recording is under way');
    addon.closeRecorder(session);
    addon.openRecorder(session, 1, SMALL_RING);
    // As `begin` would, but for rings of that size.
    const words = Uint32Array.of(7, 0, 0, 0, 0, 0);
    addon.runProgram(session, 'nl_set_recording', new Uint8Array(words.buffer));
    await feed(0, 1, 1000);
    const target = new Uint8Array(1 << 16);
    // The kernel keeps 8 bytes beside each record.
    const room = Math.floor(SMALL_RING / (RECORD.bytes + 8));
    const { lost } = recorded.end();
    const bytes = recorded.drain(target);
    expect(bytes / RECORD.bytes + lost).toBe(1000);
    expect(bytes / RECORD.bytes).toBeGreaterThanOrEqual(room - 1);
    recorded.close();
  });
});
