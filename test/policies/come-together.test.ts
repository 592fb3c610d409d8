/** The fourth of the properties that schtest looks at; the others are in the conformance suite. */
import { beforeAll, beforeEach, expect, test } from 'vitest';

import { expectCleanRun } from '../sandbox/good-run.js';
import { Guest, type RunRecord, whyNoSandbox } from '../sandbox/guest.js';

const missing = whyNoSandbox();
const policies = ['vtime', 'eevdf'];
type TogetherRecord = RunRecord & {
  readonly pingPong: { readonly exitCode: number; readonly cpus: number[]; readonly ticks: number[] };
};
let guest: Guest;

beforeAll(async () => {
  if (missing === undefined) guest = await Guest.boot('come-together.mjs', policies);
});
beforeEach((context) => {
  if (missing !== undefined) context.skip(missing);
});

// Not yet: each goes back to where it ran last while a CPU idles there (0.64 and 0.52 where 0.95 are wanted). This test says so when
// it has changed.
test.fails.each(policies)('%s keeps two threads that wake each other on one last-level cache', (policy) => {
  const run = guest.run(policy) as TogetherRecord;
  expectCleanRun(run);
  expect(run.plan.map(({ cpus }) => cpus)).toEqual([
    [0, 1],
    [2, 3],
  ]);
  const { exitCode, cpus, ticks } = run.pingPong;
  expect(exitCode).toBe(0);
  expect(cpus.length).toBeGreaterThan(50);
  // Both were at it.
  expect(Math.min(...ticks)).toBeGreaterThan(10);
  const onFirst = cpus.filter((cpu) => cpu < 2).length / cpus.length;
  expect(Math.max(onFirst, 1 - onFirst)).toBeGreaterThanOrEqual(0.95);
});
