import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { expectNoProblems } from '../sandbox/good-run.js';
import { Guest, type RunRecord, totalOf, whyNoSandbox } from '../sandbox/guest.js';

/** One boot, two runs of `nodeland run`; time counts instructions. */
const missing = whyNoSandbox();
const path = (relative: string): string => fileURLToPath(new URL(`../../${relative}`, import.meta.url));

/** What test/policies/holder.c prints. */
interface TaskRecord {
  readonly ranMs: number;
  readonly waitsUs: readonly number[];
}
/** The tasks of each load, one load after the other. */
type ExtensionRecord = RunRecord & { readonly tasks: readonly (readonly TaskRecord[])[] };

/** --extension-us where it is switched on. */
const EXTENSION_US = 2000;

let on: ExtensionRecord;
let off: ExtensionRecord;

beforeAll(async () => {
  if (missing !== undefined) return;
  const holder = path('build/test/holder');
  mkdirSync(path('build/test'), { recursive: true });
  execFileSync('cc', ['-O2', '-Wall', '-I', path('include'), '-o', holder, path('test/policies/holder.c')]);
  const options = { accel: 'deterministic', timeoutSeconds: 1500 } as const;
  const guest = await Guest.boot('slice-extension.mjs', [holder], options);
  on = guest.run('switched on') as ExtensionRecord;
  off = guest.run('switched off') as ExtensionRecord;
});
beforeEach((context) => {
  if (missing !== undefined) context.skip(missing);
});

const medianOf = (list: readonly number[]): number => list.toSorted((a, b) => a - b)[list.length >> 1];
/** How long the first task of a load, which never asks, waited for its CPU each time. */
const waitsOf = ([plain]: readonly TaskRecord[]): readonly number[] => plain.waitsUs;

test('the scheduler runs as ever', () => {
  for (const run of [on, off]) {
    expect([run.isAttached, run.hung, run.exitCode, run.stray]).toEqual([true, false, 0, '']);
    expectNoProblems(run);
  }
});

describe('a task that is always in a critical section', () => {
  test('is given a little longer when its slice ends', () => {
    const [nobody, one] = on.tasks.map(waitsOf);
    expect(nobody.length).toBeGreaterThan(20);
    expect(medianOf(one) - medianOf(nobody)).toBeGreaterThan(0.5 * EXTENSION_US);
  });

  test('delays the other by one extension at most', () => {
    const [nobody, one] = on.tasks.map(waitsOf);
    expect(Math.max(...one)).toBeLessThan(Math.max(...nobody) + EXTENSION_US + 1000);
  });

  test('gets no more than its share', () => {
    const [plain, greedy] = on.tasks[1];
    const share = greedy.ranMs / (plain.ranMs + greedy.ranMs);
    expect(share).toBeGreaterThan(0.45);
    expect(share).toBeLessThan(0.55);
  });

  test('keeps no worker waiting', () => {
    // Eight of them on four CPUs.
    expect(on.tasks[2]).toHaveLength(8);
    expect(totalOf(on, 'extended')).toBeGreaterThan(100);
    expect(totalOf(on, 'fallback_enter')).toBe(0);
    const [, text, unit] = /^worker kick to run p99 +([\d.]+)(us|ms)$/m.exec(on.summary) ?? [];
    expect(Number(text) * (unit === 'ms' ? 1000 : 1)).toBeLessThan(EXTENSION_US);
  });
});

test('nothing is extended for those who do not ask, nor with --extension-us 0', () => {
  expect(totalOf(off, 'extended')).toBe(0);
  const longer = medianOf(waitsOf(off.tasks[0])) - medianOf(waitsOf(on.tasks[0]));
  expect(Math.abs(longer)).toBeLessThan(0.5 * EXTENSION_US);
});
