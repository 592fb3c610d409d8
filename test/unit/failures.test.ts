import { describe, expect, test } from 'vitest';

import { Failures, FAILURES_MAX } from '../../src/supervisor/failures.js';
import { LoopWatch } from '../../src/supervisor/loop-watch.js';

describe('failures of a worker', () => {
  test('the wait before the next start doubles from 100 ms to 5 s', () => {
    const failures = new Failures();
    const delays = Array.from({ length: 8 }, (_, index) => failures.add(index).delayMs);
    expect(delays).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000]);
  });

  test(`${FAILURES_MAX} within a minute are too many`, () => {
    const failures = new Failures();
    const verdicts = Array.from({ length: FAILURES_MAX }, (_, index) => failures.add(index * 20_000).tooMany);
    expect(verdicts).toEqual([...Array<boolean>(FAILURES_MAX - 1).fill(false), true]);
  });

  test('those longer ago than a minute do not count', () => {
    const failures = new Failures();
    for (let index = 0; index < 10; index++) {
      expect(failures.add(index * 61_000)).toEqual({ delayMs: 100, tooMany: false });
    }
  });

  test('forgotten ones do not count', () => {
    const failures = new Failures();
    failures.add(0);
    failures.add(1);
    failures.forget();
    expect(failures.add(2)).toEqual({ delayMs: 100, tooMany: false });
  });
});

describe('a worker whose progress word stands still', () => {
  const beats = (watch: LoopWatch, count: number, cpuMs: (beat: number) => number): (number | undefined)[] =>
    Array.from({ length: count }, (_, beat) => watch.beat(7, 100, () => cpuMs(beat))?.elapsedMs);

  test('loops when it used 3 s of CPU time meanwhile', () => {
    const watch = new LoopWatch();
    watch.beat(7, 100, () => 0);
    const found = beats(watch, 40, (beat) => beat * 100);
    expect(found.findIndex((elapsed) => elapsed !== undefined)).toBe(30);
  });

  test('does not loop in a pause of 2 s, even when it has half a CPU only', () => {
    const watch = new LoopWatch();
    watch.beat(7, 100, () => 0);
    expect(beats(watch, 41, (beat) => beat * 50).every((elapsed) => elapsed === undefined)).toBe(true);
    expect(watch.beat(8, 100, () => 5000)).toBeUndefined();
    expect(watch.beat(8, 100, () => 5000)).toBeUndefined();
  });

  test('is stuck after 30 s without CPU time', () => {
    const watch = new LoopWatch();
    watch.beat(7, 100, () => 0);
    const found = beats(watch, 301, () => 0);
    expect(found.findIndex((elapsed) => elapsed !== undefined)).toBe(299);
  });

  test('begins anew after a rest', () => {
    const watch = new LoopWatch();
    watch.beat(7, 100, () => 0);
    beats(watch, 290, () => 0);
    watch.rest();
    expect(beats(watch, 290, () => 0).every((elapsed) => elapsed === undefined)).toBe(true);
  });
});
