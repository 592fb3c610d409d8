/** The fourth of the properties that schtest looks at; the others are in the conformance suite. */
import { beforeAll, beforeEach, expect, test } from 'vitest';

import { expectCleanRun } from '../sandbox/good-run.js';
import { Guest, type RunRecord, whyNoSandbox } from '../sandbox/guest.js';

const missing = whyNoSandbox();
const policies = ['vtime', 'eevdf'];
type TogetherRecord = RunRecord & {
  readonly pingPong: { readonly exitCode: number; readonly pairs: number[][]; readonly ticks: number[] };
};
let guest: Guest;

beforeAll(async () => {
  if (missing === undefined)
    guest = await Guest.boot('come-together.mjs', policies, { accel: 'deterministic', timeoutSeconds: 900 });
});
beforeEach((context) => {
  if (missing !== undefined) context.skip(missing);
});

test.each(policies)('%s keeps two threads that wake each other on one last-level cache', (policy) => {
  const run = guest.run(policy) as TogetherRecord;
  expectCleanRun(run);
  expect(run.plan.map(({ cpus }) => cpus)).toEqual([
    [0, 1],
    [2, 3],
  ]);
  const { exitCode, pairs, ticks } = run.pingPong;
  expect(exitCode).toBe(0);
  expect(pairs.length).toBeGreaterThan(20);
  // Both were at it.
  expect(Math.min(...ticks)).toBeGreaterThan(10);
  const together = pairs.filter(([a, b]) => a < 2 === b < 2);
  expect(together.length / pairs.length, JSON.stringify(pairs)).toBeGreaterThanOrEqual(0.95);
});
