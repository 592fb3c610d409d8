import { beforeAll, beforeEach, expect, test } from 'vitest';

import { expectCleanRun } from '../sandbox/good-run.js';
import {
  Guest,
  LONG_AND_DETERMINISTIC,
  type ProgramRecord,
  type RunRecord,
  totalOf,
  whyNoSandbox,
} from '../sandbox/guest.js';

/** One boot: two domains under load, whose policies are changed while they are attached. */
const missing = whyNoSandbox();

interface Listed {
  readonly name: string;
  readonly policy: string;
  readonly source: string;
  readonly options: unknown;
}
interface Answer {
  readonly ok: boolean;
  readonly code?: number;
  readonly error?: string;
  readonly changed?: readonly { readonly name: string }[];
}
type SwapRecord = RunRecord & {
  readonly first: readonly Listed[];
  readonly byCommand: ProgramRecord;
  readonly swaps: readonly Answer[];
  readonly bench: readonly ProgramRecord[];
  readonly refused: Answer;
  readonly unknown: ProgramRecord;
  readonly failing: Answer;
  readonly isTold: boolean;
  readonly saved: Answer;
  readonly last: readonly Listed[];
  readonly stateStill: string;
  readonly said: readonly string[];
};
let run: SwapRecord;

beforeAll(async () => {
  if (missing === undefined)
    run = (await Guest.boot('policy-swap.mjs', [], LONG_AND_DETERMINISTIC)).run('policy swap') as SwapRecord;
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
  const { exitCode, stdout, stderr } = run.byCommand;
  expect({ exitCode, stdout, stderr }).toEqual({ exitCode: 0, stdout: 'node0: /tmp/mine.ts\n', stderr: '' });
  expect(run.swaps.map(({ error, changed }) => error ?? changed?.map(({ name }) => name))).toEqual([
    ['node0'],
    ['node0'],
    ['node1'],
    ['node0', 'node1'],
    ['node0', 'node1'],
  ]);
  expect(run.said.filter((text) => text.includes('from now on')).length).toBeGreaterThanOrEqual(8);
  expect(run.stateStill).toBe('enabled');
  expect(run.bench.map((program) => program.exitCode)).toEqual([0, 0]);
});

test('decisions that make no sense are corrected and counted', () => {
  expect(totalOf(run, 'bad_cpu')).toBeGreaterThan(0);
});

test('a policy that cannot be made is refused with its own line, and the old one stays', () => {
  expect(run.refused.code).toBe(78);
  expect(run.refused.error).toMatch(/policy mine: never made \(.*\/tmp\/mine\.ts:12:\d+\)?/);
  expect([run.unknown.exitCode, run.unknown.stderr]).toEqual([
    64,
    'nodeland: no domain "7"; there are 0 (node0), 1 (node1), and all\n',
  ]);
});

test('a policy that fails on its tasks ends only its worker, and is told with its own line', () => {
  expect(run.failing.ok).toBe(true);
  expect(run.isTold).toBe(true);
  expect(run.said).toContainEqual(
    expect.stringMatching(/policy mine: not these tasks \(.*\/tmp\/mine\.ts:18:/),
  );
  expect(run.saved.ok).toBe(true);
  expect(brief(run.last)).toEqual([
    ['node0', 'vtime', 'vtime'],
    ['node1', 'fifo', 'fifo'],
  ]);
});

test('all is as before afterwards', () => {
  expectCleanRun(run);
});
