import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';

import { readResults } from '../../bench/lab/store.js';

import { whyNoBpf } from './bpf-objects.js';

const main = fileURLToPath(new URL('../../dist/bench/main.js', import.meta.url));
const results = mkdtempSync(join(tmpdir(), 'nodeland-results-'));
afterAll(() => rmSync(results, { recursive: true }));
const bench = (...args: string[]) => spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' });
const figure = {
  n: 2,
  median: expect.any(Number) as number,
  min: expect.any(Number) as number,
  max: expect.any(Number) as number,
};
const figures = (middle: string) => ({ push: figure, [middle]: figure, drain: figure, total: figure });

describe('npm run bench', () => {
  test("measures both transports in turns and gives the ratio of libbpf's to nodeland's", (context) => {
    const missing = existsSync(main) ? whyNoBpf() : 'the benchmarks are not built';
    if (missing !== undefined) context.skip(missing);
    const { stdout, stderr, status } = bench(
      ...['transport', '--json', '--rounds', '2', '--tasks', '256', '--pings', '200', '--results', results],
    );
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const report = JSON.parse(stdout) as {
      ratio: number;
      nodeland: { total: { median: number } };
      libbpf: { total: { median: number } };
      roundTripNs: { n: number; lost: number; p50: number; p99: number; p999: number } | null;
    };
    expect(report).toMatchObject({
      ratio: expect.any(Number) as number,
      nodeland: { ...figures('decide'), vtime: figures('decide') },
      libbpf: { ...figures('consume'), bare: figures('consume'), byPid: figures('consume') },
      machine: { node: process.version, libbpf: expect.stringMatching(/^v\d/) as string },
    });
    expect(report.ratio).toBeGreaterThan(0);
    expect(report.nodeland.total.median).toBeGreaterThan(1);
    expect(report.libbpf.total.median).toBeGreaterThan(1);
    const trip = report.roundTripNs;
    if (trip !== null) {
      expect(trip.n + trip.lost).toBe(200);
      expect(trip.p50).toBeLessThanOrEqual(trip.p99);
      expect(trip.p99).toBeLessThanOrEqual(trip.p999);
    }
    const [kept] = readResults(results);
    expect(kept).toMatchObject({ benchmark: 'transport', settings: { rounds: 2, tasks: 256 } });
    const ratio = kept.figures.find(({ name }) => name === 'libbpf, same job / nodeland fifo');
    expect(ratio?.runs).toEqual([[expect.any(Number), expect.any(Number)]]);
    expect(existsSync(join(results, 'transport-ratio.svg'))).toBe(true);
  });

  test('the page of results names every figure, and needs nothing beside it', (context) => {
    if (readResults(results).length === 0) context.skip('nothing was measured');
    const page = join(results, 'page.html');
    expect(bench('report', '--results', results, '--out', page)).toMatchObject({ status: 0, stderr: '' });
    const html = readFileSync(page, 'utf8');
    expect(html).toContain('nodeland fifo: total');
    expect(html).toContain('<svg');
    expect(html).not.toMatch(/<(script|link|img)/);
  });

  test.each([
    ['transport', '--rounds', 'many', 'expected a whole number from 1'],
    ['loop', '--depth', '4096', 'expected a whole number from 0 to 3072'],
    ['loop', '--policy', 'nix', 'Allowed choices are'],
  ])('%s refuses %s %s', (name, option, value, message) => {
    const { status, stderr } = bench(name, option, value);
    expect(status).toBe(64);
    expect(stderr).toContain(message);
  });

  test('loop measures the policy and the depth it is told', () => {
    const { status, stdout } = bench('loop', '--policy', 'rr', '--depth', '10', '--rounds', '1', '--json', '--results', results);
    expect(status).toBe(0);
    const { figures } = JSON.parse(stdout) as { figures: { policy: string; depth: number; medianNs: number }[] };
    expect(figures).toMatchObject([{ policy: 'rr', depth: 10, n: 1 }]);
    expect(figures[0].medianNs).toBeGreaterThan(1);
  });

  test('starts up to the attachment, and says what is not part of it', (context) => {
    const missing = existsSync(main) ? whyNoBpf() : 'the benchmarks are not built';
    if (missing !== undefined) context.skip(missing);
    const { stdout, stderr, status } = bench('start', '--rounds', '2', '--results', results);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^nodeland run to the attachment +\d+ .*ms$/m);
    expect(stdout).toContain('the attachment itself is not part of it');
    const kept = readResults(results).find(({ benchmark }) => benchmark === 'start');
    const [start, node] = kept?.figures ?? [];
    expect([start.n, node.n]).toEqual([2, 2]);
    expect(start.min).toBeGreaterThan(node.min);
  });

  test('tells a start that cannot be from one that was measured', () => {
    const { stdout, stderr, status } = bench('start', '--domains', 'bogus', '--results', results);
    expect([stdout, status]).toEqual(['', 1]);
    expect(stderr).toContain('--domains: expected');
  });
});
