/** The scx project's acceptance line, short and long. */
import { expect, test } from 'vitest';

import type { SandboxOptions } from '../../src/sandbox/run.js';
import type { ProgramRecord } from '../sandbox/guest.js';
import {
  expectAttached,
  expectGoodEnd,
  expectNobodyLate,
  expectNobodyLost,
  expectQuietKernel,
  FaultMachine,
  type Window,
} from './machine.js';

export function testAcceptance(
  group: string,
  seconds: number,
  options: Partial<SandboxOptions> = {},
  slowness = 1,
): void {
  const quiet = { ...options, silenceLimitS: undefined };
  const machine = new FaultMachine(group, [String(seconds)], quiet, 'acceptance');

  test(`stress-ng --aggressive with forks and pinning for ${seconds} s ends attached, with no task stalled`, () => {
    const window = machine.window('acceptance', 'acceptance line') as Window & {
      program: ProgramRecord;
    };
    expect(window.program.exitCode, window.program.stderr).toBe(0);
    expect(window.seconds).toBeGreaterThan(seconds);
    expectAttached(window);
    expectNobodyLost(window, slowness);
    expectGoodEnd(machine.experiment('acceptance'));
    expectQuietKernel(machine);
    // Last: of all this only lateness can be the host's doing.
    expectNobodyLate(window, slowness);
  });
}
