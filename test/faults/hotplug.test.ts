import { expect, test } from 'vitest';

import {
  expectAttached,
  expectGoodEnd,
  expectNobodyLost,
  expectQuietKernel,
  expectUnharmed,
  FaultMachine,
  type Window,
} from './machine.js';

const machine = new FaultMachine('hotplug');

const GONE = ['a CPU', "a worker's CPU", "a whole domain's CPUs"];

test.each(GONE.flatMap((what) => [`${what} goes offline`, `${what} comes back`, `after ${what} came back`]))(
  'no task is late or lost and the scheduler is attached: %s',
  (fault) => {
    const window = machine.window('hotplug', fault);
    expectUnharmed(window);
  },
);

test.each(GONE)('every CPU can kick another after %s came back', (what) => {
  const { selfInterrupts } = machine.window('hotplug', `after ${what} came back`) as Window & {
    selfInterrupts?: readonly number[];
  };
  expect(selfInterrupts).toHaveLength(4);
  expect(selfInterrupts).not.toContain(0);
});

test('a machine that is frozen and goes on loses no task and keeps its scheduler', ({ skip }) => {
  const { windows } = machine.experiment('hotplug');
  if (!windows.some(({ fault }) => fault === 'machine frozen')) skip('this kernel has no pm_test');
  // Everything stood still, canaries too.
  const frozen = machine.window('hotplug', 'machine frozen');
  expect(frozen.seconds).toBeGreaterThan(4);
  expectNobodyLost(frozen);
  expectAttached(frozen);
  const after = machine.window('hotplug', 'after the freeze');
  expectUnharmed(after);
});

test('it ends as asked, and the kernel has nothing to complain of', () => {
  expectGoodEnd(machine.experiment('hotplug'));
  expectQuietKernel(machine);
});
