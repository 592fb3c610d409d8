/** `nodeland sim` as it is typed: output, exit codes, sweeps. */
import { type ExecFileException, execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { resultSchema, type SimResult } from '../../src/sim/result.js';

const MAIN = fileURLToPath(new URL('../../lib/src/cli/main.js', import.meta.url));
const EXAMPLES = fileURLToPath(new URL('../../examples/', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'nodeland-cli-sim-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});
beforeAll(() => {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is not there: npm run build`);
});

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function sim(...args: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const done = (error: ExecFileException | null, out: string, err: string): void => {
      resolve({ code: error ? Number(error.code) : 0, out, err });
    };
    execFile(process.execPath, [MAIN, 'sim', ...args], { maxBuffer: 2 ** 24 }, done);
  });
}

const SHORT = ['--cpus', '4', '--duration-ms', '50'];
const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};
const withoutWall = (text: string): string => text.replace(/"wall": \{[^}]*\}/, '');

describe('nodeland sim', () => {
  test('prints the table of a real run, the groups of tasks, and how long it took', async () => {
    const { code, out, err } = await sim('--cpus', '8', '--nodes', '2', '--duration-ms', '50');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    for (const label of [
      'got CPU: standing order',
      'queue wait p99',
      'asked to decided p50',
      'largest batch',
    ]) {
      expect(out).toMatch(new RegExp(`^${label} +\\S+ +\\S+$`, 'm'));
    }
    expect(out).toMatch(/^hog +4 +hogs/m);
    expect(out).toMatch(/^server .* server /m);
    expect(out).toMatch(/^wall time \S+ s for 0\.050 s/m);
    expect(out).not.toContain('page faults');
  });

  test('--json prints one object that the schema knows, the same for the same seed but for the wall time', async () => {
    const [first, again] = [await sim(...SHORT, '--json'), await sim(...SHORT, '--json')];
    expect(first).toMatchObject({ code: 0, err: '' });
    expect(() => resultSchema.parse(JSON.parse(first.out))).not.toThrow();
    expect(withoutWall(again.out)).toBe(withoutWall(first.out));
  });

  test('--json FILE writes it there and prints the tables', async () => {
    const path = join(folder, 'out.json');
    const { code, out } = await sim(...SHORT, '--json', path);
    expect(code).toBe(0);
    expect(out).toContain('got CPU: idle');
    expect(resultSchema.parse(JSON.parse(readFileSync(path, 'utf8'))).machine.cpus).toBe(4);
  });

  test('takes a policy of a file and its options, and a workload of a file', async () => {
    const workload = file('w.yaml', 'durationMs: 30\ngroups:\n  mine: { kind: sleepers, count: 5 }\n');
    const policy = join(EXAMPLES, 'lottery.ts');
    const args = ['--cpus', '2', '--ask', 'always', '--policy', policy, '--workload', workload, '--json'];
    const [first, again] = [await sim(...args), await sim(...args)];
    const result = resultSchema.parse(JSON.parse(first.out));
    expect(result).toMatchObject({ simulatedMs: 30, policy: { source: policy, name: 'lottery' }, workload });
    expect(result.groups).toMatchObject([{ name: 'mine', tasks: 5 }]);
    expect(withoutWall(again.out)).toBe(withoutWall(first.out));
    const options = await sim(...SHORT, '--policy-option', 'orderWakes=7', '--json');
    expect(JSON.parse(options.out)).toMatchObject({ policy: { options: { orderWakes: 7 } } });
  });

  test('repeats a policy that throws dice as well', async () => {
    const policy = file(
      'dice.mts',
      `import { definePolicy } from 'nodeland';
export default definePolicy({
  name: 'dice', summary: 'random order', standing: 'none',
  create: ({ decisions }) => {
    const held = [];
    return {
      enqueue: (task) => { held.push(task); },
      dispatch: () => {
        for (const task of held.splice(0)) {
          decisions.keyNs[task] = Math.floor(Math.random() * 1e9);
          decisions.publish(task, 0, 0xffff, 0);
        }
      },
    };
  },
});
`,
    );
    const workload = file('dozen.yaml', 'groups: { hog: { kind: hogs, count: 12 } }');
    const args = [
      '--cpus',
      '2',
      '--workload',
      workload,
      '--duration-ms',
      '500',
      '--policy',
      policy,
      '--json',
    ];
    const [first, again, other] = [await sim(...args), await sim(...args), await sim(...args, '--seed', '2')];
    expect(first.err).toBe('');
    expect(withoutWall(again.out)).toBe(withoutWall(first.out));
    const groupsOf = ({ out }: Outcome): unknown => (JSON.parse(out) as SimResult).groups;
    expect(groupsOf(other)).not.toEqual(groupsOf(first));
  });

  test('a policy that throws ends it, with its name, the time and the line', async () => {
    const policy = file(
      'throws.mts',
      `import { definePolicy } from 'nodeland';
export default definePolicy({
  name: 'throws', summary: 'does', standing: 'none',
  create: () => ({ enqueue: () => { throw new Error('no more'); }, dispatch: () => undefined }),
});
`,
    );
    const { code, out, err } = await sim(...SHORT, '--no-fast-path', '--policy', policy);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(
      /^nodeland: policy throws threw after \d\.\d+ ms, in domain \d: no more \(.*throws\.mts:4:\d+\)?/,
    );
  });

  test.each([
    [['extra'], 64, 'too many arguments'],
    [['--cpus', '0'], 64, '--cpus: expected a whole number from 1 to 1024, found "0"'],
    [['--cpus', '2.5'], 64, '--cpus: expected a whole number'],
    [['--cpus', '2', '--nodes', '3'], 64, '--nodes: expected at most as many as CPUs (2), found 3'],
    [['--seed', '-1'], 64, '--seed: expected a whole number from 0 to 4294967295, found "-1"'],
    [['--duration-ms', 'x'], 64, '--duration-ms: expected a number'],
    [
      ['--slice-us', '5'],
      64,
      '--slice-us: expected a whole number of microseconds from 100 to 100000, found 5',
    ],
    [['--domains', '0-99'], 64, '--domains: CPUs 16-99 are not in this machine'],
    [['--workload', 'nope'], 64, '--workload: expected hogs, sleepers'],
    [['--fault', 'nope'], 64, '--fault: expected pause, slow or crash'],
    [['--fault', 'pause,domain=7,at-ms=1,for-ms=1'], 64, '--fault: no domain 7; there are 0 to 1'],
    [['--sweep', 'nope=1,2'], 64, '--sweep: expected one of policy, domains'],
    [['--sweep', 'cpus=4,4'], 64, '--sweep: expected one of policy, domains'],
    [['--sweep', 'cpus=4,5000'], 64, '--cpus: expected a whole number from 1 to 1024, found "5000"'],
    [
      ['--plot', '/nowhere', '--sweep', 'policy=fifo,vtime'],
      64,
      '--plot: expected one --sweep whose values are numbers',
    ],
    [['--plot', '/dev/null/plots'], 1, "--plot: ENOTDIR: not a directory, mkdir '/dev/null/plots'"],
    [['--workload', '/nowhere.yaml'], 78, '/nowhere.yaml: no such file'],
    [['--config', '/nowhere.yaml'], 78, '/nowhere.yaml: no such file'],
    [['--policy', './nowhere.ts'], 78, 'nowhere.ts'],
    [['--policy-option', 'nope=1'], 78, '--policy-option'],
    [['--sweep', 'policy=fifo,./nowhere.ts'], 78, 'nowhere.ts'],
  ])('%j is refused with %d', async (args, exitCode, message) => {
    const { code, out, err } = await sim(...args);
    expect(err).toContain(message);
    expect({ code, out }).toEqual({ code: exitCode, out: '' });
  });
});

describe('nodeland sim --plot', () => {
  const titlesIn = (plots: string): Record<string, string[]> =>
    Object.fromEntries(
      readdirSync(plots).map((name) => [
        name,
        [...readFileSync(join(plots, name), 'utf8').matchAll(/<text[^>]*>([^<]+)<\/text>/g)].map(
          ([, text]) => text,
        ),
      ]),
    );

  test('draws how long each group waited and took, and how busy each domain was', async () => {
    const plots = join(folder, 'one', 'deep');
    const { code, err } = await sim(...SHORT, '--nodes', '2', '--workload', 'mixed', '--plot', plots);
    expect({ code, err }).toEqual({
      code: 0,
      err: expect.stringContaining('wait.svg: from any enqueue') as string,
    });
    const titles = titlesIn(plots);
    expect(Object.keys(titles).sort()).toEqual(['domains.svg', 'took.svg', 'wait.svg', 'wake-up.svg']);
    expect(titles['wait.svg']).toEqual(
      expect.arrayContaining(['from any enqueue to running', 'hog', 'server']),
    );
    expect(titles['domains.svg']).toContain('its worker');
  });

  test('draws a sweep over its numbers, with a line for every other value', { timeout: 60_000 }, async () => {
    const plots = join(folder, 'swept');
    const { code } = await sim(
      ...SHORT,
      '--sweep',
      'policy=vtime,fifo',
      '--sweep',
      'cpus=2,4',
      '--plot',
      plots,
    );
    expect(code).toBe(0);
    const titles = titlesIn(plots);
    expect(Object.keys(titles).sort()).toEqual([
      'done.svg',
      'wait-p99.svg',
      'wake-up-p99.svg',
      'workers.svg',
    ]);
    expect(titles['wait-p99.svg']).toEqual(expect.arrayContaining(['cpus', 'policy vtime', 'policy fifo']));
  });
});

describe('nodeland sim --sweep', () => {
  const axes = ['--sweep', 'cpus=2,4', '--sweep', 'policy=vtime,fifo', '--duration-ms', '30'];

  test('prints a line for each combination, and its progress on stderr', { timeout: 60_000 }, async () => {
    const { code, out, err } = await sim(...axes);
    expect(code).toBe(0);
    const lines = out.trim().split('\n');
    expect(lines[0]).toMatch(/^cpus +policy +sim s +switches\/s/);
    expect(lines.slice(1).map((line) => line.split(/ +/, 2))).toEqual([
      ['2', 'vtime'],
      ['2', 'fifo'],
      ['4', 'vtime'],
      ['4', 'fifo'],
    ]);
    expect(err.trim().split('\n').sort()).toHaveLength(4);
    expect(err).toMatch(/^4 of 4: cpus=\d policy=(?:vtime|fifo)$/m);
  });

  test('shows what docs/simulate.md shows', { timeout: 120_000 }, async () => {
    const page = readFileSync(new URL('../../docs/simulate.md', import.meta.url), 'utf8');
    const [, command = '', shown = ''] =
      /^npx nodeland sim (.*--sweep.*)\n```\n\n```text\n([^]*?)^```$/m.exec(page) ?? [];
    const { code, out } = await sim(...command.split(' '));
    expect(code).toBe(0);
    const rows = (text: string): string[][] =>
      text
        .trim()
        .split('\n')
        .map((line) => line.split(/ {2,}/));
    expect(rows(shown)).toHaveLength(5);
    // Policies and the kernel side may change a little; what they show may not.
    expect(rows(out)[0]).toEqual(rows(shown)[0]);
    expect(rows(out).map((row) => row.slice(0, 2))).toEqual(rows(shown).map((row) => row.slice(0, 2)));
    const workers = rows(out)
      .slice(1)
      .map((row) => parseFloat(row[5]));
    expect(workers[1]).toBeGreaterThan(1.5 * workers[3]);
  });

  test('--json prints a list of what each would print alone', { timeout: 60_000 }, async () => {
    const { code, out } = await sim(...axes, '--json');
    const results = JSON.parse(out) as SimResult[];
    expect(code).toBe(0);
    expect(results.map(({ machine, policy }) => [machine.cpus, policy.name])).toEqual([
      [2, 'vtime'],
      [2, 'fifo'],
      [4, 'vtime'],
      [4, 'fifo'],
    ]);
    const alone = await sim('--cpus', '4', '--policy', 'fifo', '--duration-ms', '30', '--json');
    expect({ ...results[3], wall: undefined }).toEqual({
      ...(JSON.parse(alone.out) as SimResult),
      wall: undefined,
    });
  });
});
