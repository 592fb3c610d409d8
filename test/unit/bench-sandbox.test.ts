import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sandboxBenchCommand } from '../../bench/sandbox.js';
import { attachedName, underPeer } from '../../bench/sandbox/attach.js';
import { advantagesOf, failuresOf, type Outcome } from '../../bench/sandbox/outcome.js';
import { parseStressNg, secondsOfHackbench } from '../../bench/sandbox/outputs.js';
import {
  inTurn,
  namesOf,
  parsePeer,
  parsePolicies,
  type Scheduler,
  schedulersOf,
} from '../../bench/sandbox/scheduler.js';
import { type Comparison, figuresOf, jsonText, tablesText } from '../../bench/sandbox/table.js';
import { DEFAULT_WORKLOADS, WORKLOAD_NAMES, workloadsOf } from '../../bench/sandbox/workload.js';
import { BUILTIN_POLICY_NAMES } from '../../src/policy/builtin-names.js';

describe('which schedulers are compared', () => {
  test('EEVDF, a nodeland for each policy, and the peers', () => {
    const peers = parsePeer('other=other --fast', parsePeer('scx_simple=/opt/scx_simple'));
    expect(schedulersOf(['vtime', 'eevdf'], ['--wait', 'spin'], peers)).toEqual<Scheduler[]>([
      { kind: 'kernel', name: 'EEVDF' },
      { kind: 'nodeland', name: 'nodeland', options: ['--policy', 'vtime', '--wait', 'spin'] },
      { kind: 'nodeland', name: 'nodeland eevdf', options: ['--policy', 'eevdf', '--wait', 'spin'] },
      { kind: 'peer', name: 'scx_simple', command: '/opt/scx_simple' },
      { kind: 'peer', name: 'other', command: 'other --fast' },
    ]);
  });

  test('two of one name are refused', () => {
    const peers = [1, 2].map(() => ({ name: 'scx_simple', command: 'true' }));
    expect(() => schedulersOf(['vtime'], [], peers)).toThrow('two schedulers are called scx_simple');
  });

  test.each(['scx_simple', '=scx_simple', 'scx_simple=', 'scx_simple= ', 'a b=c'])(
    'a peer is NAME=COMMAND, and "%s" is none',
    (text) => expect(() => parsePeer(text)).toThrow('expected NAME=COMMAND'),
  );

  test("a peer's command may have an = and spaces", () => {
    expect(parsePeer('x=env A=1 x -v')).toEqual([{ name: 'x', command: 'env A=1 x -v' }]);
  });

  test('policies are checked by name, and "all" is every built-in one', () => {
    expect(parsePolicies('rr,fifo,rr')).toEqual(['rr', 'fifo']);
    expect(parsePolicies('all')).toEqual(BUILTIN_POLICY_NAMES);
    expect(() => parsePolicies('vtime,cfs')).toThrow('there is no policy "cfs"; there are vtime, ');
  });

  test('workloads are checked by name, and run in one order', () => {
    expect(() => namesOf('workload', WORKLOAD_NAMES)('idle,bild')).toThrow('there is no workload "bild"');
    expect(workloadsOf(['build', 'idle', 'hackbench']).map(({ name }) => name)).toEqual([
      'hackbench',
      'idle',
      'build',
    ]);
  });

  test.each([
    ['--peer', 'scx_simple', 'expected NAME=COMMAND'],
    ['--policies', 'cfs', 'there is no policy "cfs"'],
    ['--workloads', 'nap', 'there is no workload "nap"'],
    ['--rounds', '0', 'expected a whole number'],
  ])('%s %s is refused before a machine boots', async (option, value, why) => {
    let said = '';
    const command = sandboxBenchCommand()
      .exitOverride()
      .configureOutput({ writeErr: (text) => (said += text) });
    await expect(command.parseAsync([option, value], { from: 'user' })).rejects.toThrow();
    expect(said).toContain(why);
  });
});

test('within so many rounds as there are schedulers, each is once at each place', () => {
  const names = ['a', 'b', 'c'];
  const rounds = [0, 1, 2, 3].map((round) => inTurn(names, round).join(''));
  expect(rounds).toEqual(['abc', 'bca', 'cab', 'abc']);
  expect(inTurn([], 5)).toEqual([]);
});

describe('what programs print', () => {
  test('hackbench: its seconds', () => {
    expect(secondsOfHackbench('Running in process mode\nEach sender\nTime: 0.173\n')).toBe(0.173);
    expect(() => secondsOfHackbench('SENDER: write (error: Broken pipe)')).toThrow('Broken pipe');
  });

  test('stress-ng: a stressor by its name, not by a line of other metrics', () => {
    const text = `stress-ng: metrc: [1] stressor       bogo ops real time  usr time  sys time   bogo ops/s     bogo ops/s
stress-ng: metrc: [1]                           (secs)    (secs)    (secs)   (real time) (usr+sys time)
stress-ng: metrc: [1] switch           269892      1.00      0.10      0.67    269782.33      350484.51
stress-ng: metrc: [1] miscellaneous metrics:
stress-ng: metrc: [1] switch              3701.90 nanosecs per context switch (pipe method)`;
    expect(parseStressNg(text, 'switch')).toEqual({ bogoOps: 269892, bogoOpsPerS: 269782.33 });
    expect(() => parseStressNg(text, 'futex')).toThrow('stress-ng printed no figures');
  });
});

const measured = (round: number, scheduler: string, hackbenchS: number): Outcome => ({
  kind: 'measured',
  round,
  scheduler,
  figures: { hackbenchS },
});
const outcomes: Outcome[] = [
  measured(0, 'EEVDF', 0.2),
  measured(0, 'nodeland', 0.1),
  measured(0, 'frail', 0.4),
  measured(1, 'nodeland', 0.2),
  { kind: 'failed', round: 1, scheduler: 'frail', why: 'ended with 1:\nout of slots' },
  { kind: 'failed', round: 0, scheduler: 'mute', why: 'did not attach within 30 s; it said nothing' },
  measured(1, 'EEVDF', 0.3),
];
const comparison: Comparison = {
  cpus: 4,
  rounds: 2,
  schedulers: ['EEVDF', 'nodeland', 'frail', 'mute'],
  workloads: workloadsOf(['hackbench']),
  outcomes,
  missing: [{ name: 'scx_rusty', why: 'needs cargo, which is not installed' }],
};

describe('what a run is told as', () => {
  test('a table for each workload, with who failed and who is missing below', () => {
    expect(tablesText(comparison).split('\n')).toEqual([
      'hackbench, rounds: 2           median (min..max)  to EEVDF',
      'hackbench -g 2 -f 5 -l 200, s',
      '  EEVDF                          0.25 (0.2..0.3)',
      '  nodeland                       0.15 (0.1..0.2)      0.60',
      '  frail                           0.4 (0.4..0.4)      1.60',
      '  mute                                    failed         -',
      '',
      'failed: frail: in round 2, ended with 1:',
      'out of slots',
      'failed: mute: in round 1, did not attach within 30 s; it said nothing',
      'missing: scx_rusty: needs cargo, which is not installed',
    ]);
  });

  test('JSON with the same', () => {
    expect(JSON.parse(jsonText(comparison))).toEqual({
      hackbenchS: {
        EEVDF: { n: 2, median: 0.25, min: 0.2, max: 0.3 },
        nodeland: { n: 2, median: 0.15, min: 0.1, max: 0.2 },
        frail: { n: 1, median: 0.4, min: 0.4, max: 0.4 },
        mute: null,
      },
      failed: failuresOf(outcomes),
      missing: comparison.missing,
    });
  });

  test('a result whose advantages compare the same round, and that has nothing of who failed at once', () => {
    const figures = figuresOf(comparison);
    expect(figures.map(({ name }) => name.split(': ')[1])).toEqual([
      'EEVDF',
      'nodeland',
      "nodeland's advantage",
      'frail',
      "frail's advantage",
    ]);
    expect(figures[2].runs).toEqual([[2, 1.5]]);
    expect(figures[4].runs).toEqual([[0.5]]);
  });

  test('more is better where it says so', () => {
    const base = new Map([[0, 100]]);
    expect(advantagesOf(base, new Map([[0, 150]]), 'higher')).toEqual([1.5]);
    expect(advantagesOf(base, new Map([[1, 150]]), 'higher')).toEqual([]);
  });

  test('the figures of earlier results keep their names', () => {
    const labels = workloadsOf(DEFAULT_WORKLOADS).flatMap(({ figures }) =>
      figures(4).map(({ label }) => label),
    );
    expect(labels).toEqual([
      'hackbench -g 2 -f 5 -l 200, s',
      'cyclictest idle, average us',
      'cyclictest idle, maximum us',
      'stress-ng --cpu 8, bogo-ops',
      'cyclictest beside it, average us',
      'cyclictest beside it, maximum us',
    ]);
  });

  test('no two figures share a key or a label', () => {
    const kinds = workloadsOf(WORKLOAD_NAMES).flatMap(({ figures }) => figures(4));
    expect(new Set(kinds.map(({ key }) => key)).size).toBe(kinds.length);
    expect(new Set(kinds.map(({ label }) => label)).size).toBe(kinds.length);
  });
});

describe('a peer', () => {
  const limits = { attachMs: 500, endMs: 5000 };
  let schedExt = '';
  beforeEach(() => {
    schedExt = mkdtempSync(join(tmpdir(), 'nodeland-sched-ext-'));
    mkdirSync(join(schedExt, 'root'));
    writeFileSync(join(schedExt, 'state'), 'disabled\n');
  });
  afterEach(() => rmSync(schedExt, { recursive: true }));
  const under = (command: string, work = (name: string) => Promise.resolve(name), own = limits) =>
    underPeer({ name: 'peer', command }, work, own, schedExt);
  /** Attaches after a moment, and detaches when it is told to end. */
  const wellBehaved = (folder: string): string =>
    `cd '${folder}'; trap 'echo disabled >state; exit' INT; sleep 0.1; echo peer_1 >root/ops; echo enabled >state; while :; do sleep 0.05; done`;

  test('is measured under the name it has in the kernel, and has detached afterwards', async () => {
    const seen = await under(wellBehaved(schedExt), undefined, { attachMs: 10_000, endMs: 10_000 });
    expect(seen).toBe('peer_1');
    expect(attachedName(schedExt)).toBeUndefined();
  });

  test('that never attaches is given up, with what it said last, and is ended', async () => {
    const command = "trap '' INT; echo one; echo 'verifier says no' >&2; exec sleep 600";
    await expect(under(command, undefined, { attachMs: 500, endMs: 200 })).rejects.toThrow(
      /did not attach within 0.5 s:\n[^]*verifier says no/,
    );
  });

  test('that ends before it attaches says with what', async () => {
    await expect(under('exit 3')).rejects.toThrow('ended with 3 before it attached; it said nothing');
    await expect(under('/nowhere/scx_none')).rejects.toThrow(
      /ended with 127 before it attached:\n.*scx_none/,
    );
  });

  test('is not started beside another one', async () => {
    writeFileSync(join(schedExt, 'root/ops'), 'simple\n');
    writeFileSync(join(schedExt, 'state'), 'enabled\n');
    await expect(under('touch started')).rejects.toThrow('simple is attached already');
  });

  test('whose work fails is ended all the same', async () => {
    const failing = () => Promise.reject(new Error('hackbench took too long'));
    await expect(under(wellBehaved(schedExt), failing, { attachMs: 10_000, endMs: 10_000 })).rejects.toThrow(
      'hackbench took too long',
    );
    expect(attachedName(schedExt)).toBeUndefined();
  });
});
