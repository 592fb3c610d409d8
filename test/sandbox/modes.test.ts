import { beforeAll, beforeEach, expect, test } from 'vitest';

import {
  expectCleanRun,
  expectDecidedEverywhere,
  expectLoadsFinished,
  expectWorkersInPlace,
} from './good-run.js';
import { Guest, totalOf, whyNoSandbox } from './guest.js';

/** One boot for all of these, each a run under hackbench. Waiting by parking is in domains.test.ts. */
const missing = whyNoSandbox();
let guest: Guest;

beforeAll(async () => {
  if (missing === undefined) guest = await Guest.boot('modes.mjs', []);
});
beforeEach((context) => {
  if (missing !== undefined) context.skip(missing);
});

test.each(['spin', 'poll and fifo', 'ask always'])(
  'hackbench runs to its end under --wait or --ask: %s',
  (name) => {
    const run = guest.run(name);
    expectCleanRun(run);
    expectLoadsFinished(run);
    expectDecidedEverywhere(run);
    expectWorkersInPlace(run);
  },
);

test('fifo leaves no standing orders, vtime does', () => {
  expect(totalOf(guest.run('poll and fifo'), 'standing')).toBe(0);
  expect(totalOf(guest.run('spin'), 'standing')).toBeGreaterThan(0);
});

test('--ask always with --no-fast-path asks for every wake-up of a user task', () => {
  const run = guest.run('ask always');
  expect(totalOf(run, 'standing')).toBe(0);
  expect(totalOf(run, 'asked')).toBeGreaterThan(300);
  // What is left are kernel threads and threads of the scheduler's own process.
  expect(totalOf(run, 'idle')).toBeLessThan(totalOf(run, 'asked'));
});
