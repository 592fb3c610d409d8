import { describe, expect, test } from 'vitest';

import {
  expectGoodEnd,
  expectNobodyLate,
  expectNobodyLost,
  expectQuietKernel,
  expectUnharmed,
  FaultMachine,
  type Window,
} from './machine.js';

const machine = new FaultMachine('pauses');

const PAUSES = [
  'none',
  'worker pauses 200 ms',
  'worker pauses 2 s',
  'worker collects garbage for 500 ms',
  'policy forgets every third task for 1 s',
  'main thread blocked for 2 s',
  'process stopped for 3 s',
  "SCHED_FIFO hog on a worker's CPU for 3 s",
  'SCHED_FIFO bursts of 0.2 s',
];

describe('no task waits longer than the stall limit allows, none is lost, and the scheduler stays', () => {
  const withDefaults = ['none', 'worker pauses 2 s', 'process stopped for 3 s', PAUSES[7]];
  const cases = [
    ...PAUSES.map((fault) => ({ fault, name: 'asking always' })),
    ...withDefaults.map((fault) => ({ fault, name: 'defaults' })),
  ];
  test.each(cases)('$fault, $name', ({ fault, name }) => {
    expectUnharmed(machine.window(name, fault));
  });
});

const said = ({ messages }: Window): string => messages.map(({ msg }) => msg).join('\n');

function expectFallback(window: Window, domain: string): void {
  // That it fell back is said in a line of its own, which may come a moment before the window; this one says how long it lasted.
  const back = 'is scheduled by its worker again after [0-9]+ ms';
  // A worker may be back before the main thread, stopped as well, has looked: then both are one line.
  const both = 'was scheduled in the kernel, its worker was stalled: [0-9]+ ms';
  expect(said(window)).toMatch(new RegExp(`domain NAME (?:${back}|${both})`.replaceAll('NAME', domain)));
}

test.each(['worker pauses 200 ms', 'worker pauses 2 s'])(
  'its domain alone falls back, and is handed back: %s',
  (fault) => {
    const window = machine.window('asking always', fault);
    expectFallback(window, 'node0');
    expect(said(window)).not.toContain('domain node1 is scheduled in the kernel');
  },
);

test('a stopped process falls back in every domain, and all are handed back when it goes on', () => {
  const window = machine.window('asking always', 'process stopped for 3 s');
  for (const domain of ['node0', 'node1']) expectFallback(window, domain);
});

test('a blocked main thread is warned of', () => {
  const warnings = machine
    .window('asking always', 'main thread blocked for 2 s')
    .messages.filter(({ level }) => level >= 40);
  expect(warnings.map(({ msg }) => msg)).toContainEqual(expect.stringContaining('main thread'));
});

test('a process that is killed leaves the machine to the kernel within a second, and no task notices', () => {
  const window = machine.window('defaults', 'process killed') as Window & { disabledAfterS: number };
  expect(window.state).toBe('disabled');
  expect(window.disabledAfterS).toBeLessThan(1);
  expectNobodyLost(window);
  expectNobodyLate(window);
});

test('after all that it ends as asked, and the kernel has nothing to complain of', () => {
  expectGoodEnd(machine.experiment('asking always'));
  expectQuietKernel(machine);
});
