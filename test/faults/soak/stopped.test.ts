import { expect, test } from 'vitest';

import {
  expectAttached,
  expectGoodEnd,
  expectNobodyLate,
  expectQuietKernel,
  FaultMachine,
} from '../machine.js';

const machine = new FaultMachine('stopped', [], { timeoutSeconds: 3600 });

test('a process stopped for 50 s falls back, is not ejected, and gets its domains back', () => {
  const window = machine.window('stopped', 'process stopped for 50 s');
  expect(window.seconds).toBeGreaterThan(50);
  expectAttached(window);
  expectNobodyLate(window);
  const after = machine.window('stopped', 'afterwards');
  expectNobodyLate(after);
  expectGoodEnd(machine.experiment('stopped'));
  expectQuietKernel(machine);
});
