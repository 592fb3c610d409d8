import { beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { expectNoProblems } from '../sandbox/good-run.js';
import { Guest, type RunRecord, totalOf, whyNoSandbox } from '../sandbox/guest.js';

/** One boot: four nodes of two CPUs, at distances 10, 20 and 30; three loads under one run. */
const missing = whyNoSandbox();

/** What test/sandbox/guest/sharing.mjs tells of a load. */
interface LoadRecord {
  /** Share of time each CPU was busy. */
  readonly busy: readonly number[];
  /** Of each task, in how many looks it was on each node. */
  readonly nodes: readonly (readonly number[])[];
  readonly ranMs: readonly number[];
  /** How often user tasks, of whatever program, changed domain. */
  readonly moves: number;
  readonly lookedS: number;
}
type SharingRecord = RunRecord & Readonly<Record<'equal' | 'steal' | 'spread', LoadRecord>>;

let run: SharingRecord;

beforeAll(async () => {
  if (missing !== undefined) return;
  const guest = await Guest.boot('sharing.mjs', [], { cpus: 8, nodes: 4 });
  run = guest.run('sharing') as SharingRecord;
});
beforeEach((context) => {
  if (missing !== undefined) context.skip(missing);
});

const mean = (list: readonly number[]): number => list.reduce((sum, n) => sum + n, 0) / list.length;
const byNode = ({ busy }: LoadRecord): number[] =>
  [0, 1, 2, 3].map((node) => mean(busy.slice(node * 2, node * 2 + 2)));

test('a machine of 4 nodes is scheduled while its domains share, and as before after', () => {
  expect(run.plan.map(({ cpus }) => cpus)).toEqual([
    [0, 1],
    [2, 3],
    [4, 5],
    [6, 7],
  ]);
  expect([run.isAttached, run.hung, run.exitCode, run.stray]).toEqual([true, false, 0, '']);
  expect(run.stateAfter).toBe('disabled');
  expectNoProblems(run);
});

describe('16 tasks that all began on node 0', () => {
  test('keep all nodes equally busy, within 10 %', () => {
    const shares = byNode(run.spread);
    expect(Math.min(...shares)).toBeGreaterThan(0.9);
    expect(Math.max(...shares) - Math.min(...shares)).toBeLessThan(0.1);
  });

  test('are spread over the nodes, four on each', () => {
    const looks = run.spread.nodes[0].reduce((sum, n) => sum + n);
    for (const node of [0, 1, 2, 3]) {
      const tasks = run.spread.nodes.reduce((sum, counts) => sum + counts[node], 0) / looks;
      expect(tasks).toBeGreaterThan(2.9);
      expect(tasks).toBeLessThan(5.1);
    }
  });

  test('each get their share of time', () => {
    const { ranMs } = run.spread;
    expect(Math.min(...ranMs)).toBeGreaterThan(0.5 * mean(ranMs));
  });

  test('stay where they are pinned', () => {
    for (const [, ...elsewhere] of run.spread.nodes.slice(0, 2)) expect(elsewhere).toEqual([0, 0, 0]);
  });
});

test('stealing keeps every CPU busy from the first moment on', () => {
  for (const share of run.steal.busy) expect(share).toBeGreaterThan(0.9);
  expect(totalOf(run, 'pulled')).toBeGreaterThan(0);
});

test('two equal groups on two nodes are left alone', () => {
  const { moves, lookedS, nodes } = run.equal;
  expect(moves / nodes.length / lookedS).toBeLessThan(1);
});

test('the summary counts moves by distance', () => {
  const row = (distance: number): number[] =>
    (new RegExp(`^moves from distance ${distance} +(.*)$`, 'm').exec(run.summary)?.[1] ?? '')
      .split(/ +/)
      .map(Number);
  const [near, far] = [row(20), row(30)];
  expect([near.length, far.length]).toEqual([4, 4]);
  expect(near.reduce((a, b) => a + b)).toBeGreaterThan(0);
  expect(far.reduce((a, b) => a + b)).toBeGreaterThan(0);
});
