import { describe, expect, test } from 'vitest';
import { exitCodeOf } from '../../bench/check.js';
import { compareResults, compareRuns, comparisonText, missingFigures } from '../../bench/lab/compare.js';
import { Random } from '../../src/sim/random.js';
import { ratioFigure, type Result } from '../../bench/lab/result.js';

/** Rounds around a middle: each process has an error of its own, and each round another; both are shares. */
function runsAround(
  middle: number,
  spread: { process: number; round: number },
  seed: number,
  processes = 5,
): number[][] {
  const random = new Random(seed);
  const error = (share: number): number => 1 + share * (random.next() + random.next() - 1);
  return Array.from({ length: processes }, () => {
    const own = middle * error(spread.process);
    return Array.from({ length: 15 }, () => own * error(spread.round));
  });
}
const quiet = { process: 0.02, round: 0.05 };
const verdict = (baseline: number[][], fresh: number[][]) => compareRuns('it', baseline, fresh).verdict;

describe('comparing with a baseline', () => {
  test('the same distribution is ok, whatever the seed', () => {
    for (let seed = 1; seed <= 20; seed++)
      expect(verdict(runsAround(1.1, quiet, seed), runsAround(1.1, quiet, 1000 + seed))).toBe('ok');
  });

  test('a ratio that fell by a third is slower, and by how much is said', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const found = compareRuns('it', runsAround(1.2, quiet, seed), runsAround(0.8, quiet, 1000 + seed));
      expect(found.verdict).toBe('slower');
      expect(found.slowdown).toBeGreaterThan(0.4);
      expect(found.slowdown).toBeLessThan(0.6);
      expect(found.low).toBeLessThan(found.slowdown);
      expect(found.high).toBeGreaterThan(found.slowdown);
    }
  });

  test('a tenth slower is within the limit', () => {
    expect(verdict(runsAround(1.1, quiet, 1), runsAround(1, quiet, 2))).toBe('ok');
  });

  test('faster is never a regression', () => {
    const found = compareRuns('it', runsAround(1, quiet, 1), runsAround(2, quiet, 2));
    expect(found.verdict).toBe('ok');
    expect(found.slowdown).toBeLessThan(-0.4);
  });

  test('one round that a busy machine spoiled changes nothing', () => {
    const fresh = runsAround(1.1, quiet, 2).map((rounds) => [...rounds, 0.01, 50]);
    expect(verdict(runsAround(1.1, quiet, 1), fresh)).toBe('ok');
  });

  test('processes that differ by half cannot be told apart, though each measured precisely', () => {
    const wild = { process: 0.8, round: 0.01 };
    const verdicts = Array.from({ length: 20 }, (_, seed) =>
      verdict(runsAround(1.1, wild, seed), runsAround(1, wild, 1000 + seed)),
    );
    expect(verdicts.filter((found) => found === 'cannot tell').length).toBeGreaterThan(10);
    expect(verdicts.filter((found) => found === 'slower').length).toBeLessThan(2);
  });

  test('just at the limit it cannot tell, and does not fail', () => {
    const found = compareRuns('it', runsAround(1.15, quiet, 1), runsAround(1, quiet, 2));
    expect(found.verdict).toBe('cannot tell');
    expect(exitCodeOf([found])).toBe(0);
  });

  test('the interval holds the true slowdown in nine of ten trials or more', () => {
    const spread = { process: 0.1, round: 0.1 };
    let held = 0;
    for (let seed = 0; seed < 40; seed++) {
      const { low, high } = compareRuns(
        ...(['it', runsAround(1.2, spread, seed, 10), runsAround(1, spread, 5000 + seed, 10)] as const),
      );
      if (low <= 0.2 && 0.2 <= high) held++;
    }
    expect(held).toBeGreaterThanOrEqual(36);
  });

  test('gives the same interval for the same rounds', () => {
    const [baseline, fresh] = [runsAround(1, quiet, 1), runsAround(1, quiet, 2)];
    expect(compareRuns('it', baseline, fresh)).toEqual(compareRuns('it', baseline, fresh));
  });

  test('no rounds are an error, not a verdict', () => {
    expect(() => compareRuns('it', [[]], [[1]])).toThrow(RangeError);
    expect(() => compareRuns('it', [[1]], [])).toThrow(RangeError);
  });

  test('one slower figure fails the check', () => {
    const ok = compareRuns('ok', [[1, 1]], [[1, 1]]);
    const slower = compareRuns('slower', [[2, 2]], [[1, 1]]);
    expect(exitCodeOf([ok, ok])).toBe(0);
    expect(exitCodeOf([ok, slower])).toBe(1);
  });

  test('the line names the figure, both ratios, the slowdown and its interval', () => {
    const line = comparisonText(compareRuns('libbpf / nodeland', [[2, 2]], [[1, 1]]));
    expect(line).toContain('libbpf / nodeland: 1.00, baseline 2.00; time +100.0 %');
    expect(line).toContain('95 % interval +100.0 % to +100.0 %');
  });
});

describe('comparing results', () => {
  const result = (...names: string[]): Result => ({
    schema: 1,
    benchmark: 'check',
    date: '2026-01-01T00:00:00.000Z',
    machine: { cpu: 'a CPU', cpus: 2, memoryMiB: 4096 },
    kernel: '6.18.0',
    node: 'v20.0.0',
    v8: '11.3',
    nodeland: '0.1.0',
    commit: null,
    settings: {},
    figures: names.map((name) => ratioFigure(name, [[1, 1.1, 1]])),
    curves: [],
  });

  test('takes the ratios both have, and names those the fresh one lacks', () => {
    const [baseline, fresh] = [result('a', 'b', 'gone'), result('new', 'b', 'a')];
    expect(compareResults(baseline, fresh).map(({ name }) => name)).toEqual(['b', 'a']);
    expect(missingFigures(baseline, fresh)).toEqual(['gone']);
  });
});
