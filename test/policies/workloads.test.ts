import { beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { BUILTIN_POLICY_NAMES } from '../../src/policy/builtin-names.js';
import { expectCleanRun, expectLoadsFinished, expectNoFaults } from '../sandbox/good-run.js';
import { Guest, totalOf, whyNoSandbox } from '../sandbox/guest.js';

/** One boot: every built-in policy in two domains, under hackbench, stress-ng, cyclictest and the acceptance line. */
const missing = whyNoSandbox();
let guest: Guest;

beforeAll(async () => {
  if (missing !== undefined) return;
  guest = await Guest.boot('workloads.mjs', BUILTIN_POLICY_NAMES, { timeoutSeconds: 2400 });
});
beforeEach((context) => {
  if (missing !== undefined) context.skip(missing);
});

describe.each(BUILTIN_POLICY_NAMES)('%s', (policy) => {
  test('schedules a machine, and leaves it as it was', () => {
    expectCleanRun(guest.run(policy));
  });

  test('finishes every load', () => {
    const run = guest.run(policy);
    expectLoadsFinished(run);
    expect(run.loads.map(({ command }) => command)).toEqual([
      'hackbench',
      'stress-ng',
      'cyclictest',
      'stress-ng',
    ]);
  });

  test('decides tasks in both domains, and nothing that is refused', () => {
    const run = guest.run(policy);
    expect(run.counters).toHaveLength(2);
    for (const { decided, worker } of run.counters) {
      expect(decided).toBeGreaterThan(100);
      expect(worker.policy_errors).toBe(0);
    }
    expect(totalOf(run, 'bad_cpu', 'slice_clamped', 'key_clamped', 'no_slot')).toBe(0);
  });

  test('has no page faults after attach', () => {
    expectNoFaults(guest.run(policy));
  });
});
