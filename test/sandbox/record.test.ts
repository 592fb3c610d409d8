/** A recording of a real run, and what a replay makes of it. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import type { Success } from '../../src/control/protocol.js';
import { parseRecording, type Recording } from '../../src/record/read.js';
import { type RecordedTask, timelineOf } from '../../src/record/timeline.js';
import { resultSchema } from '../../src/sim/result.js';
import { expectCleanRun } from './good-run.js';
import { Guest, type RunRecord, whyNoSandbox } from './guest.js';

const MAIN = fileURLToPath(new URL('../../lib/src/cli/main.js', import.meta.url));
const CPUS = 4;

interface Refusal {
  readonly error: string;
}
/** What test/sandbox/guest/record.mjs adds to the run. */
type Recorded = RunRecord & {
  readonly command: { readonly exitCode: number; readonly out: string; readonly err: string };
  readonly status: Success;
  readonly refused: Refusal;
  readonly begun: Success;
  readonly afterwards: Refusal;
};

const missing = whyNoSandbox();
const folder = mkdtempSync(join(tmpdir(), 'nodeland-record-'));
const file = join(folder, 'loaded.rec');
let guest: Guest;
let run: Recorded;
let loaded: Recording;
let tasks: readonly RecordedTask[];

const bytesOf = (name: string): Buffer =>
  Buffer.from((guest.record(name) as { base64: string }).base64, 'base64');
const recordingOf = (name: string): Recording => parseRecording(bytesOf(name), name);

beforeAll(async () => {
  if (missing !== undefined) return;
  guest = await Guest.boot('record.mjs', [], { cpus: CPUS, nodes: 2, accel: 'deterministic' });
  run = guest.run('scheduler') as Recorded;
  loaded = recordingOf('loaded');
  tasks = timelineOf(loaded);
  writeFileSync(file, bytesOf('loaded'));
});
beforeEach((context) => {
  if (missing !== undefined) context.skip(missing);
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const named = (name: RegExp): RecordedTask[] => tasks.filter(({ comm }) => name.test(comm));
const cpuNsOf = (these: readonly RecordedTask[]): number =>
  these.reduce((sum, { bursts }) => sum + bursts.reduce((own, { runNs }) => own + runNs, 0), 0);
const shareCaused = (these: readonly RecordedTask[]): number => {
  const bursts = these.flatMap((task) => task.bursts);
  return bursts.filter(({ isCaused }) => isCaused).length / bursts.length;
};

describe('nodeland record', () => {
  test('under load writes a whole file with nothing lost', () => {
    expectCleanRun(run);
    const { count, lost, header, endNs } = loaded;
    expect(run.status.recording).toMatchObject({ why: 'duration', lost: 0, records: count });
    expect(lost).toBe(0);
    expect((endNs - header.startNs) / 1e9).toBeGreaterThan(1.9);
    expect(header.machine.cpus).toHaveLength(CPUS);
    expect(header.domains.map(({ name, policy }) => [name, policy])).toEqual([
      ['node0', 'vtime'],
      ['node1', 'vtime'],
    ]);
  });

  test('knows tasks by name, what woke them, and most of the time that the CPUs had', () => {
    const hogs = named(/^stress-ng/).filter((task) => cpuNsOf([task]) > 1e8);
    expect(hogs).toHaveLength(5);
    // Senders and receivers wake each other, and are forked; a timer is an interrupt's doing.
    expect(shareCaused(named(/^hackbench$/))).toBeGreaterThan(0.5);
    const timers = named(/^cyclictest$/);
    expect(timers.flatMap(({ bursts }) => bursts).length).toBeGreaterThan(500);
    expect(shareCaused(timers)).toBeLessThan(0.1);
    const share = cpuNsOf(tasks) / ((loaded.endNs - loaded.header.startNs) * CPUS);
    // The rest is the scheduler's own, which takes long where it is emulated, and the interrupts'.
    expect(share).toBeGreaterThan(0.75);
    expect(share).toBeLessThan(1.01);
  });

  test('ends well at Ctrl-C, and when whoever asked is gone', () => {
    const { command, begun } = run;
    expect(command).toMatchObject({ exitCode: 0, err: '' });
    const { count } = recordingOf('interrupted');
    expect(command.out).toMatch(/^\/tmp\/interrupted\.rec: \d+ records of \d+ tasks, 0 lost, /);
    expect(command.out).toContain(` ${count} records `);
    expect(begun.ok).toBe(true);
    expect(recordingOf('left').count).toBeGreaterThan(0);
  });

  test('says why a file cannot be made', () => {
    expect(run.refused.error).toMatch(/^\/tmp\/loaded\.rec: is there already: .*--force/);
    expect(run.afterwards.error).toBe('/tmp/no/such/folder.rec: its folder does not exist');
  });
});

test.each(['vtime', 'fifo'])(
  'nodeland sim --replay plays it under %s to its end, with the CPU time that was recorded',
  (policy) => {
    const args = [MAIN, 'sim', '--replay', file, '--policy', policy, '--json'];
    const out = execFileSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 1 << 26 });
    const result = resultSchema.parse(JSON.parse(out));
    expect(result).toMatchObject({ ended: 'all tasks exited', machine: { cpus: CPUS, nodes: 2 } });
    expect(result.groups.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['hackbench', 'cyclictest']),
    );
    const playedNs = result.busyShare * CPUS * result.simulatedMs * 1e6;
    expect(playedNs / cpuNsOf(tasks)).toBeCloseTo(1, 3);
  },
);
