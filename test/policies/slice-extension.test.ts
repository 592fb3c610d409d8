import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { expectNoProblems } from '../sandbox/good-run.js';
import { Guest, type RunRecord, totalOf, whyNoSandbox } from '../sandbox/guest.js';

/** One boot, four runs of `nodeland run`; time counts instructions. */
const missing = whyNoSandbox();
const path = (relative: string): string => fileURLToPath(new URL(`../../${relative}`, import.meta.url));

/** What test/policies/holder.c prints. */
interface TaskRecord {
  readonly ranMs: number;
  readonly waitsUs: readonly number[];
}
type ExtensionRecord = RunRecord & { readonly tasks: readonly TaskRecord[] };

const SCENARIOS = ['nobody asks', 'one asks', 'switched off', 'all ask'] as const;
type Scenario = (typeof SCENARIOS)[number];
/** --extension-us of the first two. */
const EXTENSION_US = 2000;

let guest: Guest;
const run = (name: Scenario): ExtensionRecord => guest.run(name) as ExtensionRecord;

beforeAll(async () => {
  if (missing !== undefined) return;
  const holder = path('build/test/holder');
  mkdirSync(path('build/test'), { recursive: true });
  execFileSync('cc', ['-O2', '-Wall', '-I', path('include'), '-o', holder, path('test/policies/holder.c')]);
  guest = await Guest.boot('slice-extension.mjs', [holder], { accel: 'deterministic', timeoutSeconds: 1200 });
});
beforeEach((context) => {
  if (missing !== undefined) context.skip(missing);
});

const medianOf = (list: readonly number[]): number => list.toSorted((a, b) => a - b)[list.length >> 1];
/** How long the first task, which never asks, waited for its CPU each time. */
const waits = (name: Scenario): readonly number[] => run(name).tasks[0].waitsUs;

test.each(SCENARIOS)('the scheduler runs as ever: %s', (name) => {
  const record = run(name);
  expect([record.isAttached, record.hung, record.exitCode, record.stray]).toEqual([true, false, 0, '']);
  expectNoProblems(record);
});

describe('a task that is always in a critical section', () => {
  test('is given a little longer when its slice ends', () => {
    expect(totalOf(run('one asks'), 'extended')).toBeGreaterThan(20);
    const longer = medianOf(waits('one asks')) - medianOf(waits('nobody asks'));
    expect(longer).toBeGreaterThan(0.5 * EXTENSION_US);
  });

  test('delays the other by one extension at most', () => {
    expect(waits('nobody asks').length).toBeGreaterThan(20);
    expect(Math.max(...waits('one asks'))).toBeLessThan(
      Math.max(...waits('nobody asks')) + EXTENSION_US + 1000,
    );
  });

  test('gets no more than its share', () => {
    const [plain, greedy] = run('one asks').tasks;
    const share = greedy.ranMs / (plain.ranMs + greedy.ranMs);
    expect(share).toBeGreaterThan(0.45);
    expect(share).toBeLessThan(0.55);
  });

  test('keeps no worker waiting', () => {
    const record = run('all ask');
    expect(totalOf(record, 'extended')).toBeGreaterThan(100);
    expect(totalOf(record, 'fallback_enter')).toBe(0);
    const [, text, unit] = /^worker kick to run p99 +([\d.]+)(us|ms)$/m.exec(record.summary) ?? [];
    expect(Number(text) * (unit === 'ms' ? 1000 : 1)).toBeLessThan(5000);
  });
});

test('nothing is extended for those who do not ask, nor with --extension-us 0', () => {
  expect(totalOf(run('nobody asks'), 'extended')).toBe(0);
  expect(totalOf(run('switched off'), 'extended')).toBe(0);
  const longer = medianOf(waits('switched off')) - medianOf(waits('nobody asks'));
  expect(Math.abs(longer)).toBeLessThan(0.5 * EXTENSION_US);
});
