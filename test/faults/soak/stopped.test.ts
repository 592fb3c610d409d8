import { expect, test } from 'vitest';

import {
  expectGoodEnd,
  expectNobodyLate,
  expectQuietKernel,
  expectUnharmed,
  FaultMachine,
} from '../machine.js';

const machine = new FaultMachine('stopped', [], { timeoutSeconds: 3600, silenceLimitS: undefined });

test('a process stopped for 50 s falls back, is not ejected, and gets its domains back', () => {
  const window = machine.window('stopped', 'process stopped for 50 s');
  expect(window.seconds).toBeGreaterThan(50);
  expectUnharmed(window);
  const after = machine.window('stopped', 'afterwards');
  expectNobodyLate(after);
  expectGoodEnd(machine.experiment('stopped'));
  expectQuietKernel(machine);
});
