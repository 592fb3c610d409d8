/** What a recording says of each task, and what a replay makes of that. */
import fc from 'fast-check';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { SimKernel } from '../../src/kernel/sim.js';
import { type RecordedTask, timelineOf } from '../../src/record/timeline.js';
import { RECORD_DETAIL } from '../../src/shm/layout.generated.js';
import { readRequest } from '../../src/sim/request.js';
import { Replay } from '../../src/sim/replay.js';
import { simulate } from '../../src/sim/simulate.js';
import type { SimResult } from '../../src/sim/result.js';
import { type Given, header, recordingBytes, recordingOf, RUNNABLE, task } from './recordings.js';

const folder = mkdtempSync(join(tmpdir(), 'nodeland-replay-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});
const MS = 1_000_000;

/** A ping that computes 2 ms, wakes a pong after 1 ms of it, and sleeps 5 ms; a hog; a child that the hog forks. */
const SCENE: readonly Given[] = [
  ...task(1, 'hog', 0, { ...RUNNABLE, cpu: 1 }),
  ...task(2, 'ping', 1000),
  { kind: 'WAKE', atUs: 1000, pid: 2 },
  ...task(3, 'pong', 2000),
  { kind: 'WAKE', atUs: 2000, pid: 3, other: 2, ranUs: 1000 },
  { kind: 'SLEEP', atUs: 3000, pid: 2, ranUs: 2000 },
  { kind: 'FORK', atUs: 3500, pid: 4, other: 1, ranUs: 3500, weight: 200, detail: RECORD_DETAIL.RUNNABLE },
  { kind: 'COMM', atUs: 3500, pid: 4, comm: 'child' },
  { kind: 'SLEEP', atUs: 4000, pid: 3, ranUs: 500 },
  { kind: 'EXIT', atUs: 6000, pid: 4, ranUs: 700 },
  { kind: 'WAKE', atUs: 8000, pid: 2 },
  { kind: 'WAKE', atUs: 9000, pid: 3, other: 2, ranUs: 1000 },
  { kind: 'SLEEP', atUs: 10_000, pid: 2, ranUs: 2000 },
  { kind: 'SLEEP', atUs: 11_000, pid: 3, ranUs: 500 },
  { kind: 'RAN', atUs: 20_000, pid: 1, ranUs: 20_000 },
];

const named = (tasks: readonly RecordedTask[], comm: string): RecordedTask =>
  tasks.find((each) => each.comm === comm)!;
const cpuMs = ({ bursts }: RecordedTask): number => bursts.reduce((sum, { runNs }) => sum + runNs, 0) / MS;

describe('the tasks of a recording', () => {
  const tasks = timelineOf(recordingOf(SCENE));

  test('have what they computed, between which sleeps, and who woke whom after how long', () => {
    expect(tasks.map(({ comm, bursts }) => [comm, bursts.map(({ runNs }) => runNs / MS)])).toEqual([
      ['hog', [20]],
      ['ping', [2, 2]],
      ['pong', [0.5, 0.5]],
      ['child', [0.7]],
    ]);
    const [first, second] = named(tasks, 'ping').bursts;
    expect(first).toMatchObject({
      wokenNs: MS,
      isCaused: false,
      wakes: [{ afterNs: MS, task: 2, burst: 0 }],
    });
    expect(second).toMatchObject({ sleptNs: 5 * MS, isCaused: false, wakes: [{ task: 2, burst: 1 }] });
    expect(named(tasks, 'pong').bursts.map(({ isCaused }) => isCaused)).toEqual([true, true]);
    expect(named(tasks, 'hog').bursts[0].wakes).toEqual([{ afterNs: 3.5 * MS, task: 3, burst: 0 }]);
    expect(named(tasks, 'child').bursts[0].weight).toBe(200);
  });

  test('do not depend on the order in which rings were read', () => {
    expect(timelineOf(recordingOf([...SCENE.slice(5), ...SCENE.slice(0, 5)]))).toEqual(tasks);
  });

  test('keep weight and CPUs, from the burst on at whose beginning they changed', () => {
    const [it] = timelineOf(
      recordingOf([
        ...task(9, 'old', 0, RUNNABLE),
        { kind: 'ALLOWED', atUs: 0, pid: 9, detail: 0, other: 2, bits: 0b101n },
        { kind: 'ALLOWED', atUs: 0, pid: 9, detail: 1, other: 2, bits: 1n << 63n },
        { kind: 'SLEEP', atUs: 100, pid: 9, ranUs: 50 },
        { kind: 'WEIGHT', atUs: 150, pid: 9, weight: 15 },
        { kind: 'ALLOWED', atUs: 160, pid: 9, detail: RECORD_DETAIL.EVERY_CPU, other: 1 },
        { kind: 'WAKE', atUs: 200, pid: 9, weight: 15 },
        { kind: 'COMM', atUs: 250, pid: 9, comm: 'new' },
        { kind: 'EXIT', atUs: 300, pid: 9, ranUs: 60 },
      ]),
    );
    expect(it.comm).toBe('new');
    expect(it.bursts).toMatchObject([{ allowed: [0, 2, 127] }, { weight: 15, allowed: 'all' }]);
  });

  test('are made out as well as can be when records are missing', () => {
    const tasksFound = timelineOf(
      recordingOf([
        { kind: 'SLEEP', atUs: 500, pid: 1, ranUs: 200 },
        { kind: 'WAKE', atUs: 800, pid: 1, other: 77, ranUs: 5 },
        { kind: 'RAN', atUs: 900, pid: 1, ranUs: 100 },
        { kind: 'WAKE', atUs: 1200, pid: 1 },
      ]),
    );
    expect(tasksFound).toMatchObject([
      {
        bursts: [
          { wokenNs: 300_000, runNs: 200_000 },
          { wokenNs: 800_000, runNs: 100_000, isCaused: false },
        ],
      },
    ]);
  });

  test('with the pid of one that is gone are others', () => {
    const both = timelineOf(
      recordingOf([
        ...task(5, 'a', 0, RUNNABLE),
        { kind: 'EXIT', atUs: 10, pid: 5, ranUs: 10 },
        ...task(5, 'b', 20, RUNNABLE),
        { kind: 'EXIT', atUs: 40, pid: 5, ranUs: 15 },
      ]),
    );
    expect(both.map(({ comm }) => comm)).toEqual(['a', 'b']);
  });
});

let files = 0;
async function replay(
  records: readonly Given[],
  { policy = 'vtime', numbers = {}, head = header() } = {},
): Promise<SimResult> {
  const file = join(folder, `${++files}.rec`);
  writeFileSync(file, recordingBytes(records, { head }));
  const options = { policy: { option: '--policy', value: policy } };
  const request = readRequest({ config: { options }, numbers, replay: file });
  return (await simulate(request)).result;
}

describe('a replay', () => {
  test.each(['vtime', 'fifo', 'eevdf', 'rr'])(
    'gives every task its CPU time under %s, and ends',
    async (policy) => {
      const result = await replay(SCENE, { policy });
      expect(result).toMatchObject({ ended: 'all tasks exited', tasks: 4, machine: { cpus: 2, nodes: 1 } });
      const cpuNs = result.groups.map(({ name, cpuShare }) => [
        name,
        Math.round(cpuShare * 2 * result.simulatedMs * 1000) / 1000,
      ]);
      expect(Object.fromEntries(cpuNs)).toEqual({ hog: 20, ping: 4, pong: 1, child: 0.7 });
      expect(result.groups.map(({ name, done }) => [name, done])).toEqual([
        ['hog', 1],
        ['ping', 2],
        ['pong', 2],
        ['child', 1],
      ]);
    },
  );

  test('has who waits for another still wait for it: on one CPU a wake-up comes as late as its waker', async () => {
    // The waker computes 10 ms before it wakes the other one, and a hog has the CPU half of the time.
    const result = await replay(
      [
        ...task(1, 'hog', 0, RUNNABLE),
        ...task(2, 'waker', 0, RUNNABLE),
        ...task(3, 'woken', 10_000),
        { kind: 'WAKE', atUs: 10_000, pid: 3, other: 2, ranUs: 10_000 },
        { kind: 'EXIT', atUs: 10_100, pid: 3, ranUs: 100 },
        { kind: 'EXIT', atUs: 11_000, pid: 2, ranUs: 10_000 },
        { kind: 'EXIT', atUs: 40_000, pid: 1, ranUs: 40_000 },
      ],
      { policy: 'rr', numbers: { cpus: '1', nodes: '1' } },
    );
    expect(result.machine).toMatchObject({ cpus: 1, nodes: 1 });
    expect(result.simulatedMs).toBeCloseTo(50.1, 1);
    const waker = result.groups.find(({ name }) => name === 'waker')!;
    expect(waker.took.maxNs).toBeGreaterThan(10 * MS);
  });

  test('plans the same each time, and says where its machine is from', async () => {
    const head = header(4, 2);
    const one = await replay(SCENE, { head });
    const two = await replay(SCENE, { head });
    expect({ ...two, workload: '', wall: '' }).toEqual({ ...one, workload: '', wall: '' });
    expect(one.domains.map(({ cpus }) => cpus)).toEqual([2, 2]);
    await expect(replay([])).rejects.toThrow('no task ran while it was recorded');
  });

  test('keeps a task on the CPUs it had, also on a smaller machine', async () => {
    const bound: Given[] = [0, 1, 2, 3].flatMap((cpu) => [
      ...task(10 + cpu, `bound${cpu}`, 0, { ...RUNNABLE, cpu }),
      { kind: 'ALLOWED', atUs: 0, pid: 10 + cpu, other: 1, bits: 1n << BigInt(cpu) } as const,
      { kind: 'EXIT', atUs: 9000, pid: 10 + cpu, ranUs: 5000 } as const,
    ]);
    const head = header(4, 2);
    const same = await replay(bound, { head });
    expect(same.simulatedMs).toBeCloseTo(5, 1);
    const half = await replay(bound, { head, numbers: { cpus: '2', nodes: '2' } });
    expect(half.simulatedMs).toBeCloseTo(10, 1);
  });
});

test('a task that may no longer run in its domain goes on in another one', async () => {
  const head = header(4, 2);
  const result = await replay(
    [
      ...task(1, 'moved', 0, RUNNABLE),
      { kind: 'ALLOWED', atUs: 0, pid: 1, other: 1, bits: 0b0001n },
      { kind: 'SLEEP', atUs: 1000, pid: 1, ranUs: 1000 },
      { kind: 'ALLOWED', atUs: 1500, pid: 1, other: 1, bits: 0b1000n },
      { kind: 'WAKE', atUs: 2000, pid: 1 },
      { kind: 'EXIT', atUs: 5000, pid: 1, ranUs: 3000 },
    ],
    { head },
  );
  expect(result.ended).toBe('all tasks exited');
  expect(result.simulatedMs).toBeCloseTo(5, 1);
  const busyMs = result.domains.map(({ busyShare }) => busyShare * 2 * result.simulatedMs);
  expect(busyMs[0]).toBeCloseTo(1, 3);
  expect(busyMs[1]).toBeCloseTo(3, 3);
});

test('a replay has no other workload', () => {
  expect(() => readRequest({ config: {}, numbers: {}, workload: 'hogs', replay: 'it.rec' })).toThrow(
    'expected --workload or --replay, not both',
  );
});

/** Tasks that sleep, wake each other and fork, as a machine with enough CPUs would see it. */
const anyScene = fc
  .array(
    fc.record({
      pid: fc.integer({ min: 1, max: 6 }),
      runUs: fc.integer({ min: 1, max: 3000 }),
      sleepUs: fc.integer({ min: 1, max: 3000 }),
      by: fc.integer({ min: 0, max: 6 }),
    }),
    { minLength: 1, maxLength: 60 },
  )
  .map((bursts): Given[] => {
    const records: Given[] = [];
    const freeUs = new Map<number, number>();
    const lastOf = new Map<number, { fromUs: number; untilUs: number }>();
    for (const { pid, runUs, sleepUs, by } of bursts) {
      const earliestUs = (freeUs.get(pid) ?? 0) + sleepUs;
      const waker = lastOf.get(by);
      const isCaused = by !== pid && waker !== undefined && waker.untilUs >= earliestUs;
      const atUs = isCaused ? Math.max(earliestUs, waker.fromUs) : earliestUs;
      if (!lastOf.has(pid)) records.push(...task(pid, `task${pid}`, atUs));
      const cause = isCaused ? { other: by, ranUs: atUs - waker.fromUs } : {};
      records.push({ kind: 'WAKE', atUs, pid, ...cause });
      records.push({ kind: 'SLEEP', atUs: atUs + runUs, pid, ranUs: runUs });
      lastOf.set(pid, { fromUs: atUs, untilUs: atUs + runUs });
      freeUs.set(pid, atUs + runUs);
    }
    return records;
  });

test('every recorded burst runs once, for as long as it did, on any machine and whatever woke it', () => {
  fc.assert(
    fc.property(anyScene, fc.integer({ min: 1, max: 4 }), (records, cpus) => {
      const tasks = timelineOf(recordingOf(records));
      const kernel = new SimKernel({ domains: [Array.from({ length: cpus }, (_, cpu) => cpu)] });
      const played = new Replay(kernel, tasks, { cpuOf: (cpu) => cpu % cpus, domainOf: () => 0 });
      played.start();
      kernel.run(60e9, () => played.isOver());
      expect(played.isOver()).toBe(true);
      const cpuOf = (name: string): number =>
        kernel.tasks.reduce((sum, { name: of, cpuNs }) => sum + (of === name ? cpuNs : 0), 0) / MS;
      for (const each of tasks) expect(cpuOf(each.comm)).toBeCloseTo(cpuMs(each), 6);
      const bursts = tasks.reduce((sum, each) => sum + each.bursts.length, 0);
      const wakes = records.filter(({ kind }) => kind === 'WAKE').length;
      expect(bursts).toBe(wakes);
      expect(played.tallies.reduce((sum, tally) => sum + tally.result(1).done, 0)).toBe(bursts);
    }),
    { numRuns: 200 },
  );
});
