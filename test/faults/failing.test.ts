import { describe, expect, test } from 'vitest';

import {
  expectGoodEnd,
  expectNobodyLate,
  expectQuietKernel,
  expectUnharmed,
  FaultMachine,
  type Window,
} from './machine.js';

const machine = new FaultMachine('failing');

type FailureWindow = Window & { readonly isBack: boolean };

const cases = [
  {
    name: 'asking always',
    fault: 'policy throws',
    said: /worker of domain node1 failed: .*out of ideas .*started again/,
  },
  { name: 'asking always', fault: 'policy loops without end', said: /node0 makes no progress/ },
  { name: 'asking always', fault: 'policy uses all memory', said: /worker of domain node1 failed/ },
  {
    name: 'asking always',
    fault: 'policy fails three times',
    said: /domain node1.*stays with the built-in policy vtime/,
  },
  { name: 'defaults', fault: 'policy calls process.exit()', said: /worker of domain node0 failed/ },
];

describe.each(cases)('a $fault, $name', ({ name, fault, said }) => {
  const window = (): FailureWindow => machine.window(name, fault) as FailureWindow;

  test('makes no task late', () => {
    expectUnharmed(window());
  });

  test('is reported, and its domain scheduled by a worker again', () => {
    expect(window().messages.map(({ msg }) => msg)).toContainEqual(expect.stringMatching(said));
    expect(window().isBack).toBe(true);
  });
});

test.each(['asking always', 'defaults'])('all is as before afterwards, %s', (name) => {
  for (const fault of ['none', 'afterwards']) expectNobodyLate(machine.window(name, fault));
  expectGoodEnd(machine.experiment(name));
});

test('the kernel has nothing to complain of', () => {
  expectQuietKernel(machine);
});
