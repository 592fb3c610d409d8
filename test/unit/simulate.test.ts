/** Each workload has the property it is there for, and the same seed gives the same result. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { UserError } from '../../src/cli/errors.js';
import { parseConfigText } from '../../src/config/file.js';
import { readRequest, type SimInput } from '../../src/sim/request.js';
import { type GroupResult, resultSchema, type SimResult } from '../../src/sim/result.js';
import { Samples } from '../../src/sim/samples.js';
import { simulate } from '../../src/sim/simulate.js';
import { sweepPoints } from '../../src/sim/sweep.js';
import { checkWorkload } from '../../src/sim/workloads/load.js';
import { WORKLOAD_NAMES } from '../../src/sim/workloads/named.js';

const folder = mkdtempSync(join(tmpdir(), 'nodeland-sim-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

type Settings = Readonly<Record<string, unknown>>;

async function run(
  workload: string,
  numbers: SimInput['numbers'] = {},
  settings: Settings = {},
  faults: readonly string[] = [],
): Promise<SimResult> {
  const options = Object.fromEntries(
    Object.entries(settings).map(([key, value]) => [key, { option: `--${key}`, value }]),
  );
  const request = readRequest({ config: { options }, workload, numbers, faults });
  return (await simulate(request)).result;
}

let files = 0;
/** A workload of one group. */
function workload(group: object): string {
  const file = join(folder, `${files++}.yaml`);
  writeFileSync(file, JSON.stringify({ groups: { it: group } }));
  return file;
}

const sum = (result: SimResult, counter: keyof SimResult['domains'][number]['counters']): number =>
  result.domains.reduce((total, { counters }) => total + counters[counter], 0);
const group = ({ groups }: SimResult, name: string): GroupResult =>
  groups.find((each) => each.name === name)!;

describe('a simulation', () => {
  test.each([...WORKLOAD_NAMES])(
    'of %s gives the same result for the same seed, and another for another',
    async (name) => {
      const numbers = { cpus: '8', 'duration-ms': '120' };
      const without = ({ wall: _, ...rest }: SimResult): object => rest;
      const [first, again, other] = [
        await run(name, numbers),
        await run(name, numbers),
        await run(name, { ...numbers, seed: '2' }),
      ];
      expect(JSON.stringify(without(again))).toBe(JSON.stringify(without(first)));
      if (name === 'hogs') expect(other.groups).toEqual(first.groups);
      else expect(other.groups).not.toEqual(first.groups);
      expect(resultSchema.parse(first)).toEqual(first);
    },
  );

  test('has the sums of its domains: every way to a CPU is counted once', async () => {
    const result = await run('mixed', { cpus: '16', nodes: '4', 'duration-ms': '200' });
    expect(result.domains).toHaveLength(4);
    const ways = (['idle', 'standing', 'asked', 'bound', 'resumed'] as const).map((way) => sum(result, way));
    const begun = result.groups.reduce((total, { wait }) => total + wait.count, 0);
    expect(begun).toBe(result.switches);
    // What is queued or asked at the end has not begun.
    const open = ways.reduce((a, b) => a + b) - result.switches;
    expect(open).toBeGreaterThanOrEqual(0);
    expect(open).toBeLessThan(100);
    expect(sum(result, 'decided')).toBe(result.decisions);
    expect(result.groups.reduce((total, { cpuShare }) => total + cpuShare, 0)).toBeCloseTo(
      result.busyShare,
      6,
    );
  });

  test('counts nothing of its warm-up', async () => {
    const numbers = { cpus: '8', 'warm-up-ms': '100', 'duration-ms': '200' };
    const result = await run('sleepers', numbers, { fastPath: false });
    expect(result).toMatchObject({ warmUpMs: 100, simulatedMs: 200, ended: 'duration' });
    expect(result.groups[0].wait.count).toBe(result.switches);
    const ways = sum(result, 'asked') + sum(result, 'standing');
    expect(Math.abs(ways - result.switches)).toBeLessThan(5);
    const whole = await run('sleepers', { cpus: '8', 'duration-ms': '300' }, { fastPath: false });
    expect(result.switches / whole.switches).toBeCloseTo(2 / 3, 1);
  });

  test('ends after so many task switches', async () => {
    const result = await run('server', { switches: '5000' });
    expect(result).toMatchObject({ ended: 'switches' });
    expect(result.switches).toBeGreaterThanOrEqual(5000);
    expect(result.switches).toBeLessThan(5100);
    const later = await run('server', { switches: '5000', 'warm-up-ms': '100' });
    expect(later.switches).toBeLessThan(5100);
    expect(later.simulatedMs / result.simulatedMs).toBeCloseTo(1, 0);
  });

  test('of 256 CPUs and 100,000 task switches comes to its end', { timeout: 60_000 }, async () => {
    const result = await run('mixed', { cpus: '256', nodes: '8', switches: '100000' });
    expect(result.switches).toBeGreaterThanOrEqual(100_000);
    expect(result.domains).toHaveLength(8);
    console.log(`256 CPUs, ${result.switches} task switches: ${result.wall.seconds} s`);
  });
});

describe('hogs', () => {
  test('keep all CPUs busy and share them by their weights', async () => {
    const file = join(folder, 'weights.yaml');
    const hogs = (weight: number): object => ({ kind: 'hogs', count: 8, weight });
    writeFileSync(
      file,
      JSON.stringify({ durationMs: 20_000, groups: { light: hogs(100), heavy: hogs(300) } }),
    );
    const result = await run(file, { cpus: '4', nodes: '1' });
    expect(result.simulatedMs).toBe(20_000);
    expect(result.busyShare).toBeGreaterThan(0.999);
    expect(group(result, 'heavy').cpuShare / group(result, 'light').cpuShare).toBeCloseTo(3, 0);
  });
});

describe('sleepers', () => {
  test('on an idle machine are given idle CPUs, and want the share their times say', async () => {
    const result = await run('sleepers', { cpus: '8', 'duration-ms': '5000' });
    expect(sum(result, 'asked')).toBe(0);
    expect(sum(result, 'idle')).toBe(result.switches);
    // 4 to a CPU, each 200 us of 10,200.
    expect(result.busyShare).toBeCloseTo((4 * 200) / 10_200, 2);
  });

  test('are asked for, each time, without the fast path and standing orders', async () => {
    const result = await run('sleepers', { cpus: '8' }, { fastPath: false, ask: 'always' });
    expect(sum(result, 'idle') + sum(result, 'standing')).toBe(0);
    expect(sum(result, 'asked')).toBeGreaterThanOrEqual(result.switches);
    expect(result.wakeUp.p50Ns).toBeGreaterThanOrEqual(3000);
  });
});

describe('forks', () => {
  test('grow whole trees, whose tasks begin where there is room', async () => {
    const result = await run(workload({ kind: 'forks', count: 1, depth: 3, children: 2, pauseUs: 0 }), {
      cpus: '8',
      nodes: '2',
    });
    const { tasks, done } = result.groups[0];
    // 2 + 4 + 8 for each tree, and the root; the last tree may be under way.
    expect(tasks - 1).toBeGreaterThanOrEqual(14 * done);
    expect(tasks - 1).toBeLessThanOrEqual(14 * (done + 1));
    expect(done).toBeGreaterThan(50);
    for (const { busyShare } of result.domains) expect(busyShare).toBeGreaterThan(0.01);
  });
});

describe('a pipeline', () => {
  test('is as fast as one stage when each has a CPU, and as all of them when they share one', async () => {
    const spec = { kind: 'pipeline', count: 1, stages: 4, runUs: 50 };
    const wide = await run(workload(spec), { cpus: '8', nodes: '1' });
    const narrow = await run(workload(spec), { cpus: '1', nodes: '1' });
    expect(wide.groups[0].donePerS / 1e6).toBeCloseTo(1 / 50, 2);
    expect(narrow.groups[0].donePerS / wide.groups[0].donePerS).toBeCloseTo(0.25, 1);
  });

  test('never holds more than its capacity', async () => {
    const spec = { kind: 'pipeline', count: 1, stages: 2, runUs: 100, capacity: 1 };
    const result = await run(workload(spec), { cpus: '4', nodes: '1' });
    // One in work at each end and one between, each at most 150 us in a step.
    expect(result.groups[0].took.maxNs).toBeLessThanOrEqual(4 * 150_000);
  });
});

describe('a server', () => {
  /** Erlang's C formula: the mean wait for one of c servers, in units of the service time. */
  function waitOf(c: number, load: number): number {
    const offered = c * load;
    let term = 1;
    let terms = 1;
    for (let k = 1; k < c; k++) terms += term *= offered / k;
    const last = (term * offered) / c / (1 - load);
    return last / (terms + last) / (c * (1 - load));
  }

  test.each([
    { cpus: 1, load: 0.5 },
    { cpus: 4, load: 0.8 },
  ])('with fifo on $cpus CPUs at a load of $load waits as M/M/c says', async ({ cpus, load }) => {
    const spec = { kind: 'server', count: 1, workers: 200, serviceUs: 500, load };
    const numbers = {
      cpus: `${cpus}`,
      nodes: '1',
      'duration-ms': '30000',
      'decision-ns': '0',
      'batch-ns': '0',
    };
    const { took, done } = (await run(workload(spec), numbers, { policy: 'fifo' })).groups[0];
    expect(done / (30 * 2000 * cpus * load)).toBeCloseTo(1, 1);
    expect(took.meanNs / (500_000 * (1 + waitOf(cpus, load)))).toBeGreaterThan(0.93);
    expect(took.meanNs / (500_000 * (1 + waitOf(cpus, load)))).toBeLessThan(1.07);
  });

  test('gets its requests whether or not it keeps up', async () => {
    const spec = { kind: 'server', count: 1, workers: 4, load: 2 };
    const { done, took } = (await run(workload(spec), { cpus: '2', nodes: '1' })).groups[0];
    expect(done / 4000).toBeCloseTo(1, 1);
    expect(took.maxNs).toBeGreaterThan(100e6);
  });
});

describe('a build', () => {
  test('ends, and sooner with more jobs at a time', async () => {
    const spec = { kind: 'build', waves: 2, jobsPerSlot: 1 };
    const numbers = { cpus: '8', 'duration-ms': '600000' };
    // 16 jobs in each wave, 1 or 16 at a time.
    const one = await run(workload({ ...spec, count: 1, jobsPerSlot: 16 }), numbers);
    const many = await run(workload({ ...spec, count: 16 }), numbers);
    for (const result of [one, many]) {
      expect(result.ended).toBe('all tasks exited');
      expect(result.groups[0]).toMatchObject({ done: 32, tasks: 33 });
    }
    expect(one.simulatedMs / many.simulatedMs).toBeGreaterThan(3);
  });
});

describe('pinned tasks', () => {
  test('are ordered in the kernel, and never leave their CPU', async () => {
    const result = await run('pinned', { cpus: '8', nodes: '2' });
    const { wait } = group(result, 'pinned');
    expect(sum(result, 'bound')).toBeGreaterThan(wait.count / 10);
    expect(sum(result, 'affinity') + sum(result, 'foreign')).toBe(0);
    const one = await run(workload({ kind: 'pinned', count: 4, cpus: '3', runUs: 1000, sleepUs: 1 }), {
      cpus: '4',
      nodes: '2',
    });
    // Four that want a CPU each share the one they may use.
    expect(one.domains.map(({ busyShare }) => Math.round(100 * busyShare))).toEqual([0, 50]);
  });
});

describe('faults', () => {
  const numbers = { cpus: '8', nodes: '2', 'duration-ms': '400' };
  const asking = { ask: 'always', fastPath: false };

  test('a paused worker loses its domain for that time, the other one does not', async () => {
    const fault = 'pause,domain=1,at-ms=100,for-ms=200';
    const [other, paused] = (await run('server', numbers, asking, [fault])).domains;
    expect(other.counters).toMatchObject({ fallback_enter: 0, fallback: 0 });
    expect(paused.counters).toMatchObject({ fallback_enter: 1, fallback_leave: 1 });
    expect(paused.counters.fallback).toBeGreaterThan(100);
  });

  test('a crashed worker’s domain is scheduled in the kernel until another one is there', async () => {
    const { domains } = await run('server', numbers, asking, ['crash,domain=0,at-ms=100,for-ms=100']);
    expect(domains[0].counters.absent).toBeGreaterThan(100);
    expect(domains[0].state).toBe('active');
    expect(domains[1].counters.absent).toBe(0);
  });

  test('a slow worker makes its domain wait', async () => {
    const [fast, slow] = (
      await run('server', numbers, asking, ['slow,domain=1,at-ms=0,for-ms=400,factor=200'])
    ).domains;
    expect(slow.histograms.ask.p50Ns).toBeGreaterThan(2 * fast.histograms.ask.p50Ns);
    expect(slow.workerShare).toBeGreaterThan(2 * fast.workerShare);
  });

  test.each([
    '',
    'pause',
    'x,domain=0,at-ms=1,for-ms=1',
    'pause,domain=0,at-ms=1,for-ms=0',
    'pause,domain=0,domain=0,at-ms=1,for-ms=1',
    'slow,domain=0,at-ms=1,for-ms=1',
    'pause,domain=0,at-ms=1,for-ms=1,__proto__=1',
    'pause,domain=-1,at-ms=1,for-ms=1',
  ])('%j is refused', (text) => {
    expect(() => readRequest({ config: {}, numbers: {}, faults: [text] })).toThrow(UserError);
  });
});

describe('a workload file', () => {
  const findings = (text: string): string => {
    try {
      checkWorkload(parseConfigText(text, 'w.yaml'));
    } catch (error) {
      if (error instanceof UserError && error.exitCode === 78) return error.message;
      throw error;
    }
    return '';
  };

  test.each([
    ['groups: {}', 'w.yaml:1:9: groups: expected at least one group, found a map'],
    ['durationMs: 5', 'w.yaml:1:1: groups: expected a map, found nothing'],
    [
      'groups:\n  a: { kind: hog }',
      'w.yaml:2:14: groups.a.kind: expected hogs, sleepers, pinned, forks, pipeline, server or build, found "hog"',
    ],
    ['groups:\n  a: { kind: hogs, runUs: 5 }', 'w.yaml:2:20: groups.a.runUs: unknown key'],
    ['groups:\n  a: { kind: hogs, count: 0 }', 'w.yaml:2:27: groups.a.count: expected at least 1, found 0'],
    ['groups:\n  a: { kind: hogs, count: x }', 'w.yaml:2:27: groups.a.count: expected a number, found "x"'],
    [
      'groups:\n  a: { kind: hogs, count: 1, perCpu: 1 }',
      'w.yaml:2:38: groups.a.perCpu: expected count or perCpu, not both, found 1',
    ],
    ['groups:\n  a: { kind: hogs, cpus: "9-" }', 'w.yaml:2:26: groups.a.cpus: expected another value'],
    [
      'groups:\n  "a b": { kind: hogs }',
      'w.yaml:2:3: groups.a b: expected a name of 1 to 15 letters, digits, - and _, found key "a b"',
    ],
  ])('%j is told where it is wrong', (text, message) => {
    expect(findings(text)).toContain(message);
  });

  test('with groups for other CPUs than there are is refused', async () => {
    await expect(run(workload({ kind: 'hogs', cpus: '99' }), { cpus: '4' })).rejects.toThrow(
      'groups.it.cpus: none of these CPUs is in a domain',
    );
  });

  test('that wants more tasks than there are slots is refused', async () => {
    await expect(run(workload({ kind: 'hogs', count: 300 }), { cpus: '4' }, { slots: 256 })).rejects.toThrow(
      'more than 256 tasks at one time; --slots gives room for more',
    );
  });
});

describe('Samples', () => {
  test('gives percentiles that were there', () => {
    const samples = new Samples();
    for (let value = 5000; value > 0; value--) samples.add(value);
    expect(samples.percentiles()).toEqual({
      count: 5000,
      meanNs: 2501,
      p50Ns: 2500,
      p90Ns: 4500,
      p99Ns: 4950,
      p999Ns: 4995,
      maxNs: 5000,
    });
    expect(new Samples().percentiles()).toMatchObject({ count: 0, p50Ns: 0, maxNs: 0 });
  });
});

describe('sweepPoints', () => {
  test('are all combinations, the last axis changing fastest', () => {
    const axes = [
      { name: 'a', values: ['1', '2'] },
      { name: 'b', values: ['x', 'y'] },
    ];
    expect(sweepPoints(axes)).toEqual([
      ['1', 'x'],
      ['1', 'y'],
      ['2', 'x'],
      ['2', 'y'],
    ]);
    expect(sweepPoints([])).toEqual([[]]);
  });
});
