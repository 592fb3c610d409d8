import { beforeAll, beforeEach, describe, expect, test } from 'vitest';

import {
  expectCleanRun,
  expectDecidedEverywhere,
  expectLoadsFinished,
  expectNoFaults,
  expectNoProblems,
  expectWorkersInPlace,
} from './good-run.js';
import { Guest, type ProgramRecord, type RunRecord, totalOf, whyNoSandbox } from './guest.js';

/** One boot for all of these: one domain, two, and four, each under hackbench, stress-ng and cyclictest. */
const missing = whyNoSandbox();
let guest: Guest;

beforeAll(async () => {
  if (missing === undefined) guest = await Guest.boot('domains.mjs', []);
});
beforeEach((context) => {
  if (missing !== undefined) context.skip(missing);
});

const cases = [
  { name: 'one', domains: [[0, 1, 2, 3]], signal: 'SIGINT' },
  {
    name: 'node',
    domains: [
      [0, 1],
      [2, 3],
    ],
    signal: 'SIGTERM',
  },
  { name: 'each CPU', domains: [[0], [1], [2], [3]], signal: 'SIGHUP' },
];

describe.each(cases)('a machine of 4 CPUs in 2 nodes in domains by $name', ({ name, domains, signal }) => {
  test('is scheduled while attached, and as before after', () => {
    const run = guest.run(name);
    expect(run.plan.map(({ cpus }) => cpus)).toEqual(domains);
    expect(run.switchAll).toBe('1');
    expectCleanRun(run);
    expectNoProblems(run);
  });

  test('finishes hackbench, stress-ng and cyclictest', () => {
    const run = guest.run(name);
    expectLoadsFinished(run);
    expect(run.loads.map(({ command }) => command)).toEqual(['hackbench', 'stress-ng', 'cyclictest']);
  });

  test('has tasks decided by every domain, and by standing orders', () => {
    const run = guest.run(name);
    expectDecidedEverywhere(run);
    expect(totalOf(run, 'standing')).toBeGreaterThan(0);
    expect(totalOf(run, 'idle')).toBeGreaterThan(0);
    expect(totalOf(run, 'absent', 'no_slot', 'ring_full')).toBe(0);
  });

  test('has its workers on their CPUs', () => {
    expectWorkersInPlace(guest.run(name));
  });

  test('sees no page faults of workers after attach', () => {
    expectNoFaults(guest.run(name));
  });

  test(`is let go of with exit code 0 by ${signal}`, () => {
    const run = guest.run(name);
    expect([run.exitCode, run.hung, run.stateAfter]).toEqual([0, false, 'disabled']);
  });
});

test('each of two nodes has its worker on one of its own CPUs', () => {
  const [first, second] = guest.run('node').plan;
  expect([first.name, second.name]).toEqual(['node0', 'node1']);
  expect(first.cpus).toContain(first.workerCpu);
  expect(second.cpus).toContain(second.workerCpu);
});

test('a second scheduler is refused by name while the first one runs', () => {
  const { second, stateDuring, exitCode } = guest.run('node') as RunRecord & { second: ProgramRecord };
  expect(second.exitCode).toBe(1);
  expect(second.stderr).toMatch(/another sched_ext scheduler is attached: nodeland/);
  expect(second.stderr.trim().split('\n')).toHaveLength(1);
  expect([stateDuring, exitCode]).toEqual(['enabled', 0]);
});
