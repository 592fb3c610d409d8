import { beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { expectNoProblems } from '../sandbox/good-run.js';
import { Guest, LONG_AND_DETERMINISTIC, type RunRecord, totalOf, whyNoSandbox } from '../sandbox/guest.js';

/** One boot, two runs of `nodeland run`; time counts instructions. */
const missing = whyNoSandbox();

/** What test/faults/holder.c prints. */
interface TaskRecord {
  readonly ranMs: number;
  readonly waitsUs: readonly number[];
}
/** How late cyclictest's thread woke. Now and then it waits for a turn of the scheduler's main thread beside. */
interface WakerRecord {
  readonly averageUs: number;
  readonly p90Us: number;
}
type WakerLoad = readonly [TaskRecord, WakerRecord];
interface OnRecord extends RunRecord {
  readonly tasks: readonly [
    besidePlain: WakerLoad,
    besideGreedy: WakerLoad,
    pair: readonly [TaskRecord, TaskRecord],
    crowd: readonly TaskRecord[],
  ];
}
interface OffRecord extends RunRecord {
  readonly tasks: readonly [WakerLoad];
}

/** --extension-us where it is switched on. */
const EXTENSION_US = 2000;
/** The default slice, and the two ticks to which its ends are rounded. */
const TURN_US = 20_000 + 2 * 4_000;

let on: OnRecord;
let off: OffRecord;

beforeAll(async () => {
  if (missing !== undefined) return;
  const guest = await Guest.boot('slice-extension.mjs', [], LONG_AND_DETERMINISTIC);
  on = guest.run('switched on') as OnRecord;
  off = guest.run('switched off') as OffRecord;
});
beforeEach((context) => {
  if (missing !== undefined) context.skip(missing);
});

test('the scheduler runs as ever', () => {
  for (const run of [on, off]) {
    expect([run.isAttached, run.hung, run.exitCode, run.stray]).toEqual([true, false, 0, '']);
    expectNoProblems(run);
  }
});

describe('a task that is always in a critical section', () => {
  test('is given a little longer before one that wakes gets its CPU, once', () => {
    const [[, beside], [, besideGreedy]] = on.tasks;
    const longerUs = besideGreedy.averageUs - beside.averageUs;
    expect(longerUs).toBeGreaterThan(0.5 * EXTENSION_US);
    expect(longerUs).toBeLessThan(1.5 * EXTENSION_US);
    expect(besideGreedy.p90Us).toBeLessThan(beside.p90Us + 1.5 * EXTENSION_US);
  });

  test('lets one that computes wait for its turn and an extension at most', () => {
    const [{ waitsUs }] = on.tasks[2];
    expect(waitsUs.length).toBeGreaterThan(10);
    expect(Math.max(...waitsUs)).toBeLessThan(TURN_US + EXTENSION_US);
  });

  test('gets no more than its share', () => {
    const [plain, greedy] = on.tasks[2];
    const share = greedy.ranMs / (plain.ranMs + greedy.ranMs);
    expect(share).toBeGreaterThan(0.45);
    expect(share).toBeLessThan(0.55);
  });

  test('keeps no worker waiting', () => {
    // Eight of them on four CPUs.
    expect(on.tasks[3]).toHaveLength(8);
    expect(totalOf(on, 'extended')).toBeGreaterThan(100);
    expect(totalOf(on, 'fallback_enter')).toBe(0);
    // A turn of one of the scheduler's own threads may lie between, but no extension.
    const kickToRunUs = (part: string): number => {
      const [, text, unit] =
        new RegExp(`^worker kick to run ${part} +([\\d.]+)(us|ms)$`, 'm').exec(on.summary) ?? [];
      return Number(text) * (unit === 'ms' ? 1000 : 1);
    };
    expect(kickToRunUs('p50')).toBeLessThan(0.25 * EXTENSION_US);
    expect(kickToRunUs('p99')).toBeLessThan(2 * EXTENSION_US);
  });
});

test('nothing is extended with --extension-us 0', () => {
  expect(totalOf(off, 'extended')).toBe(0);
  const [[, wasOff]] = off.tasks;
  const [[, besidePlain]] = on.tasks;
  expect(Math.abs(wasOff.averageUs - besidePlain.averageUs)).toBeLessThan(0.5 * EXTENSION_US);
});
