import { expect, test } from 'vitest';

import { pageFaultsOf, totalOf } from '../sandbox/guest.js';
import { expectGoodEnd, expectQuietKernel, expectUnharmed, FaultMachine, type Window } from './machine.js';

const machine = new FaultMachine('nonsense');

test('wrong decisions are refused, each kind is counted, and nobody is late for them', () => {
  const window = machine.window('chaos', 'policy publishes nonsense');
  const run = machine.experiment('chaos');
  for (const kind of ['dead_slot', 'stale', 'bad_cpu', 'affinity', 'slice_clamped', 'key_clamped'] as const) {
    expect.soft(totalOf(run, kind), kind).toBeGreaterThan(0);
  }
  expect(totalOf(run, 'decided')).toBeGreaterThan(1000);
  expectUnharmed(window);
  expectGoodEnd(run);
});

test('a worker that loses its pages under memory pressure faults, and goes on deciding', () => {
  const window = machine.window('dropping', 'worker loses its pages under memory pressure');
  const run = machine.experiment('dropping');
  for (const { minor } of pageFaultsOf(run)) expect(minor).toBeGreaterThan(256);
  expect(totalOf(run, 'decided')).toBeGreaterThan(1000);
  expectUnharmed(window);
  expectGoodEnd(run);
});

test('tasks beyond the slot table are scheduled in the kernel and counted, and all of them run', () => {
  const window = machine.window('crowd', 'more tasks than slots') as Window & {
    crowd: { exitCode: number; stdout: string; stderr: string };
  };
  const run = machine.experiment('crowd');
  expect(window.crowd, window.crowd.stderr).toMatchObject({ exitCode: 0 });
  const { least, failed } = JSON.parse(window.crowd.stdout) as { least: number; failed: number };
  expect(failed).toBe(0);
  expect(least).toBeGreaterThan(4);
  expect(totalOf(run, 'no_slot')).toBeGreaterThan(100);
  expectUnharmed(window);
  expectGoodEnd(run);
});

test('the kernel has nothing to complain of', () => {
  expectQuietKernel(machine);
});
