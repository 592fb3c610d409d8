import { expect, test } from 'vitest';

import type { ProgramRecord } from '../sandbox/guest.js';
import { expectGoodEnd, expectQuietKernel, expectUnharmed, FaultMachine, type Window } from './machine.js';

const machine = new FaultMachine('churn');

const WITH_PROGRAM = [
  'affinity changes',
  'exec',
  'fork, vfork, clone',
  'zombies and waits',
  'ptrace stops',
  'nice values',
  'scheduling classes',
  'signals',
  'to SCHED_FIFO and SCHED_EXT and back',
  'moves between control groups',
];

test.each(['none', ...WITH_PROGRAM, 'tasks killed while they wait'])(
  'no task is late or lost under it: %s',
  (fault) => {
    const window = machine.window('churn', fault);
    expectUnharmed(window);
  },
);

test.each(WITH_PROGRAM)('what churns comes to its end: %s', (fault) => {
  const { program } = machine.window('churn', fault) as Window & {
    program: ProgramRecord;
  };
  expect(program, program.stderr).toMatchObject({ exitCode: 0 });
  // stress-ng says so, and ends well, when it leaves something out.
  expect(program.stdout + program.stderr).not.toMatch(/skipping|unsupported|No stress/);
});

test('it ends as asked, and the kernel has nothing to complain of', () => {
  expectGoodEnd(machine.experiment('churn'));
  expectQuietKernel(machine);
});
