import { type ExecFileException, execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { configInput, runCommand } from '../../src/cli/run.js';
import { type ConfigInput, loadConfig } from '../../src/config/config.js';
import { sysfsFrom, sysfsTree } from '../fixtures/sysfs/tree.js';

const MAIN = fileURLToPath(new URL('../../lib/src/cli/main.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'nodeland-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    const done = (error: ExecFileException | null, out: string, err: string): void => {
      resolve({ code: error ? Number(error.code) : 0, out, err });
    };
    const { NODELAND_DEBUG: _debug, ...inherited } = process.env;
    execFile(program, args, { env: { ...inherited, ...env }, maxBuffer: 2 ** 24 }, done);
  });
}

const nodeland = (...args: string[]): Promise<Outcome> => run(process.execPath, [MAIN, ...args]);

function configFile(text: string): string {
  const file = join(folder, `${Math.random().toString(36).slice(2)}.yaml`);
  writeFileSync(file, text);
  return file;
}

beforeAll(() => {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is not there: npm run build`);
});

describe('nodeland', () => {
  test('--version prints the version of the package', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    expect(await nodeland('--version')).toEqual({ code: 0, out: `${version}\n`, err: '' });
  });

  const policies = [['policy'], ['policy', 'list'], ['policy', 'show'], ['policy', 'set']];
  test.each(
    [[], ['run'], ['domains'], ['sim'], ['doctor'], ['sandbox'], ['demo'], ...policies].map((command) => [
      command,
    ]),
  )('%j --help prints help and exits with 0', async (command) => {
    const { code, out, err } = await nodeland(...command, '--help');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain(`Usage: ${['nodeland', ...command].join(' ')}`);
  });

  test.each([
    [['bogus'], "unknown command 'bogus'"],
    [['--bogus'], "unknown option '--bogus'"],
    [['run', '--bogus'], "unknown option '--bogus'"],
    [['run', 'extra'], 'too many arguments'],
    [['run', '--slice-us'], 'argument missing'],
    [['doctor', '--bogus'], "unknown option '--bogus'"],
    [['sandbox'], "missing required argument 'command'"],
    [['demo', 'extra'], 'too many arguments'],
    [
      ['run', '--slice-us', '50'],
      '--slice-us: expected a whole number of microseconds from 100 to 100000, found 50',
    ],
    [
      ['run', '--stall-ms', 'soon'],
      '--stall-ms: expected a whole number of milliseconds from 5 to 1000, found "soon"',
    ],
    [
      ['run', '--duration', '-1'],
      '--duration: expected a number of seconds above 0, at most 2147483 (24 days), found -1',
    ],
    [['run', '--stats', '0'], '--stats: expected a number of seconds from 0.1 to 3600, found 0'],
    [['run', '--wait', 'sleep'], '--wait: expected one of park, spin, poll, found "sleep"'],
    [['run', '--policy', 'lifo'], '--policy: expected vtime, fifo'],
    [['run', '--domains', '3-1'], '(domain 0: range 3-1 runs backwards)'],
    [['run', '--policy-option', 'x'], '--policy-option: expected key=value, found "x"'],
    [
      ['run', '--policy-option', 'x=[1]'],
      '--policy-option: expected a number, true, false or a word as value, found',
    ],
    [['run', '--socket', ''], '--socket: expected a path of 1 to 107 bytes, found ""'],
    [['policy', 'set', '0'], "missing required argument 'policy'"],
    [
      ['policy', 'set', '0', 'fifo', '--policy-option', '=1'],
      '--policy-option: expected key=value, found "=1"',
    ],
    [['policy', 'bogus'], "unknown command 'bogus'"],
  ])('%j is a usage error', async (args, message) => {
    const { code, out, err } = await nodeland(...args);
    expect({ code, out }).toEqual({ code: 64, out: '' });
    expect(err).toContain(message);
    expect(err).not.toMatch(/^ {4}at /m);
  });

  test('without a command shows the help as a usage error', async () => {
    expect(await nodeland()).toMatchObject({
      code: 64,
      err: expect.stringContaining('Usage: nodeland') as string,
    });
  });

  test('tells a mistake in the configuration file with its place, without a stack', async () => {
    const file = configFile('policy: fifo\nsliceUs: 7\n');
    const expected = `nodeland: ${file}:2:10: sliceUs: expected a whole number of microseconds from 100 to 100000, found 7\n`;
    expect(await nodeland('run', '--config', file)).toEqual({ code: 78, out: '', err: expected });
    expect(await nodeland('domains', '--config', file)).toEqual({ code: 78, out: '', err: expected });
    expect(await nodeland('run', '-v', '--config', join(folder, 'none'))).toMatchObject({ code: 78 });
  });

  test('tells what was unforeseen in a line, and its stack only when asked', async () => {
    const sysfs = sysfsFrom('cpu/online = broken\n');
    const { code, err } = await nodeland('domains', '--sysfs', sysfs);
    expect(code).toBe(1);
    expect(err).toMatch(/^nodeland: "broken" is not a CPU number/);
    expect(err).not.toContain('    at ');
    const debug = await run(process.execPath, [MAIN, 'domains', '--sysfs', sysfs], { NODELAND_DEBUG: '1' });
    expect(debug.err).toContain('    at ');
  });
});

describe('nodeland domains', () => {
  test('draws the machine and its plan', async () => {
    const { code, out } = await nodeland('domains', '--sysfs', sysfsTree('two-nodes'));
    expect(code).toBe(0);
    expect(out).toContain('plan     node: 2 domains');
    expect(out).toContain('1       node1  1     7       4-7');
  });

  test('prints JSON', async () => {
    const { out } = await nodeland(
      'domains',
      '--json',
      '--sysfs',
      sysfsTree('four-nodes-smt'),
      '--domains',
      'core',
    );
    expect(JSON.parse(out)).toMatchObject({ spec: 'core', online: '0-15', domains: { length: 8 } });
  });

  test('draws this machine', async () => {
    expect((await nodeland('domains', '--domains', 'one')).out).toContain('0       all');
  });

  test('takes the plan from a configuration file, the option before it', async () => {
    const config = configFile('domains: one\n');
    const sysfs = sysfsTree('two-nodes');
    expect((await nodeland('domains', '--sysfs', sysfs, '--config', config)).out).toContain(
      'plan     one: 1 domain,',
    );
    const both = await nodeland('domains', '--sysfs', sysfs, '--config', config, '--domains', 'node');
    expect(both.out).toContain('plan     node: 2 domains');
  });

  test('refuses a plan that does not fit: a usage error from the option, a configuration error from the file', async () => {
    const sysfs = sysfsTree('two-nodes');
    const option = await nodeland('domains', '--sysfs', sysfs, '--domains', '0-6');
    expect(option).toMatchObject({
      code: 64,
      err: 'nodeland: --domains: CPU 7 is in no domain (online here: 0-7)\n',
    });
    const file = configFile('domains: 0-6\n');
    const config = await nodeland('domains', '--sysfs', sysfs, '--config', file);
    expect(config).toMatchObject({
      code: 78,
      err: `nodeland: ${file}:1:10: domains: CPU 7 is in no domain (online here: 0-7)\n`,
    });
  });

  test('says that a folder is no sysfs', async () => {
    expect(await nodeland('domains', '--sysfs', folder)).toMatchObject({ code: 69, out: '' });
  });

  test('bears a reader that leaves early', async () => {
    const command = `"${process.execPath}" "${MAIN}" domains --json --sysfs "${sysfsTree('1024-cpus')}" | head -c 10`;
    expect(await run('/bin/sh', ['-c', command])).toEqual({ code: 0, out: '{\n  "spec"', err: '' });
  });
});

describe('nodeland doctor', () => {
  test('exits with the code that its JSON gives', async () => {
    const { code, out } = await nodeland('doctor', '--json');
    const report = JSON.parse(out) as {
      canRun: boolean;
      exitCode: number;
      checks: { state: string; advice?: string }[];
    };
    expect(report.exitCode).toBe(code);
    expect(report.canRun).toBe(code === 0);
    for (const { state, advice } of report.checks) expect(advice !== undefined).toBe(state !== 'ok');
  });

  test.runIf(!existsSync('/sys/kernel/sched_ext'))(
    'on a kernel without sched_ext exits with 69 and offers the sandbox',
    async () => {
      const { code, out } = await nodeland('doctor');
      expect(code).toBe(69);
      expect(out).toContain('nodeland sandbox -- COMMAND');
    },
  );
});

describe("run's options", () => {
  function input(...args: string[]): ConfigInput {
    let seen: ConfigInput | undefined;
    const command = runCommand().action((_options, self) => {
      seen = configInput(self as ReturnType<typeof runCommand>);
    });
    command.parse(args, { from: 'user' });
    if (!seen) throw new Error('the action did not run');
    return seen;
  }

  test('left out leave everything to the file', () => {
    expect(input()).toEqual({ file: undefined, options: {}, verbose: false });
  });

  test('all reach the configuration', () => {
    const line =
      '--domains one --policy fifo --policy-option n=5 --policy-option on=true --policy-option w=it --socket s --wait poll --ask always --partial --no-fast-path --slice-us 700 --stall-ms 9';
    const config = loadConfig(input(...line.split(' '), '--duration', '2.5', '--stats', '1', '-v'));
    expect(config).toMatchObject({
      domains: 'one',
      policy: 'fifo',
      policyOptions: { n: 5, on: true, w: 'it' },
      socket: 's',
      wait: 'poll',
      ask: 'always',
      partial: true,
      fastPath: false,
      sliceUs: 700,
      stallMs: 9,
      durationS: 2.5,
      statsS: 1,
      verbose: true,
    });
    expect(config.origins.size).toBe(12);
  });
});
