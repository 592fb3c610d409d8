import { beforeAll, beforeEach, expect, test } from 'vitest';

import { expectCleanRun } from './good-run.js';
import { Guest, type ProgramRecord, type RunRecord, totalOf, whyNoSandbox } from './guest.js';

/** One boot: two domains under load, whose policies are changed by the command line while they are attached. */
const missing = whyNoSandbox();

interface Listed {
  readonly name: string;
  readonly policy: string;
  readonly source: string;
  readonly options: unknown;
}
type SwapRecord = RunRecord & {
  readonly first: readonly Listed[];
  readonly swaps: readonly ProgramRecord[];
  readonly bench: readonly ProgramRecord[];
  readonly refused: ProgramRecord;
  readonly unknown: ProgramRecord;
  readonly failing: ProgramRecord;
  readonly isTold: boolean;
  readonly saved: ProgramRecord;
  readonly last: readonly Listed[];
  readonly stateStill: string;
  readonly said: readonly string[];
};
let run: SwapRecord;

beforeAll(async () => {
  if (missing === undefined) run = (await Guest.boot('policy-swap.mjs', [])).run('policy swap') as SwapRecord;
});
beforeEach((context) => {
  if (missing !== undefined) context.skip(missing);
});

const brief = (all: readonly Listed[]): string[][] =>
  all.map(({ name, policy, source }) => [name, policy, source]);

test('two domains have the policies of the file, one of them in TypeScript', () => {
  expect(brief(run.first)).toEqual([
    ['node0', 'vtime', 'vtime'],
    ['node1', 'mine', '/tmp/mine.ts'],
  ]);
  expect(run.first[1].options).toEqual({ wrong: 'no' });
});

test('other policies are put in place while tasks run, and nothing is detached', () => {
  expect(run.swaps.map(({ exitCode, stderr }) => [exitCode, stderr])).toEqual(run.swaps.map(() => [0, '']));
  expect(run.swaps.map(({ stdout }) => stdout.trim().split('\n'))).toEqual([
    ['node0: fifo'],
    ['node0: /tmp/mine.ts'],
    ['node1: vtime'],
    ['node0: /tmp/mine.ts', 'node1: /tmp/mine.ts'],
    ['node0: vtime', 'node1: vtime'],
  ]);
  expect(run.said.filter((text) => text.includes('from now on')).length).toBeGreaterThanOrEqual(8);
  expect(run.stateStill).toBe('enabled');
  for (const { exitCode } of run.bench) expect(exitCode).toBe(0);
});

test('decisions that make no sense are corrected and counted', () => {
  expect(totalOf(run, 'bad_cpu')).toBeGreaterThan(0);
});

test('a policy that cannot be made is refused with its own line, and the old one stays', () => {
  expect(run.refused.exitCode).toBe(78);
  expect(run.refused.stderr).toMatch(/policy mine: never made \(.*\/tmp\/mine\.ts:12:\d+\)?/);
  expect([run.unknown.exitCode, run.unknown.stderr]).toEqual([
    64,
    'nodeland: no domain "7"; there are 0 (node0), 1 (node1), and all\n',
  ]);
});

test('a policy that fails on its tasks ends only its worker, and is told with its own line', () => {
  expect(run.failing.exitCode).toBe(0);
  expect(run.isTold).toBe(true);
  expect(run.said).toContainEqual(
    expect.stringMatching(/policy mine: not these tasks \(.*\/tmp\/mine\.ts:18:/),
  );
  expect(run.saved.exitCode).toBe(0);
  expect(brief(run.last)).toEqual([
    ['node0', 'vtime', 'vtime'],
    ['node1', 'fifo', 'fifo'],
  ]);
});

test('all is as before afterwards', () => {
  expectCleanRun(run);
});
