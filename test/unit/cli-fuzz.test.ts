/** Whatever is typed, nodeland does it or refuses it in sentences with the right exit code; a stack is never shown. */
import { CommanderError, type Command } from 'commander';
import fc from 'fast-check';
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { UserError } from '../../src/cli/errors.js';
import { parsePolicyOptions } from '../../src/cli/policy-options.js';
import { createProgram } from '../../src/cli/program.js';
import { configInput } from '../../src/cli/run.js';
import { loadConfig } from '../../src/config/config.js';
import { planFor } from '../../src/config/plan.js';
import { readTopology } from '../../src/topology/read.js';
import { sysfsTree } from '../fixtures/sysfs/tree.js';

const MAIN = fileURLToPath(new URL('../../lib/src/cli/main.js', import.meta.url));
const STACK = /^ {4}at |\[object |^\w*Error: |node:internal/m;
/** Where there is sched_ext, `run` and `demo` would take the machine: only what cannot begin is tried there. */
const mayAttach = existsSync('/sys/kernel/sched_ext');

const folder = mkdtempSync(join(tmpdir(), 'nodeland-cli-fuzz-'));
afterAll(() => rmSync(folder, { recursive: true }));
const sysfs = sysfsTree('two-nodes');
const topology = readTopology({ sysfsRoot: sysfs });

function file(name: string, content: string | Buffer): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}
const FILES = [
  file('good.yaml', 'policy: fifo\nsliceUs: 3000\n'),
  file('empty.yaml', ''),
  file('wrong.yaml', 'wait: x\nsliceUs: .nan\nfoo: 1\n'),
  file('plan.yaml', 'domains: 0-5\n'),
  file('proto.yaml', '__proto__: {polluted: 1}\ndomainPolicies: {__proto__: fifo}\n'),
  file('bom.yaml', '\ufeffpolicy: fifo\r\n'),
  file('deep.yaml', '['.repeat(60_000)),
  file('garbage', Buffer.from(Array.from({ length: 500 }, (_, index) => (index * 7919) & 255))),
  folder,
  join(folder, 'none'),
  '/dev/zero',
  '/dev/null',
];

const OPTIONS = {
  run: [
    ...['--config', '--domains', '--policy', '--wait', '--ask', '--partial', '--no-fast-path', '--slice-us'],
    ...['--stall-ms', '--duration', '--stats', '--verbose', '--policy-option', '--socket'],
  ],
  domains: ['--config', '--domains', '--json'],
  'policy list': ['--json', '--socket'],
  'policy set': ['--policy-option', '--socket'],
  'policy show': ['--json'],
  doctor: ['--json'],
  sandbox: [
    '--cpus',
    '--nodes',
    '--memory',
    '--kernel',
    '--timeout',
    '--smp-threads',
    '--deterministic',
    '--kvm',
  ],
  demo: ['--json'],
} as const;

const value = fc.oneof(
  fc.constantFrom(
    ...[
      '',
      ' ',
      '0',
      '-1',
      '+5',
      '1e3',
      '1e999',
      '0x10',
      '9'.repeat(400),
      '1.5',
      '.5',
      '5000',
      'NaN',
      'Infinity',
    ],
    ...[
      '__proto__',
      'constructor',
      'toString',
      'null',
      'undefined',
      '\u202e',
      '\u001b[31m',
      'x'.repeat(5000),
    ],
    ...[
      'node',
      'one',
      '0-3;4-7',
      '0-8',
      '0-65535',
      '0-65535;'.repeat(100),
      '3-1',
      ';',
      'core',
      'fifo',
      './none.js',
      ...['a=1', 'a=', 'a=[1]', '__proto__=1', 'a=*b', 'a=.nan', 'a=!!binary x', 'all'],
    ],
    ...['park', 'always', '/', '..', '-', '-v', '-vv', '--', '=', '--=', '--json=x', '@'],
  ),
  fc.string({ maxLength: 20 }).map((text) => text.replaceAll('\0', '')),
);

/** A command and up to five options of it or of none. */
function commandLine(commands: readonly (keyof typeof OPTIONS)[]): fc.Arbitrary<string[]> {
  return fc.constantFrom(...commands).chain((command) => {
    const known = fc.constantFrom(...OPTIONS[command]);
    const name = fc.oneof(
      { weight: 6, arbitrary: known },
      fc.constantFrom(
        '--__proto__',
        '--constructor',
        '--no-domains',
        '--help',
        '--version',
        '--to-string',
        '--x',
      ),
    );
    const given = fc.oneof(
      fc.tuple(name, value),
      fc.tuple(fc.constant('--config'), fc.constantFrom(...FILES)),
      fc.tuple(name, value).map(([option, text]) => [`${option}=${text}`]),
      known.map((option) => [option]),
      value.map((text) => [text]),
    );
    return fc.array(given, { maxLength: 5 }).map((all) => [...command.split(' '), ...all.flat()]);
  });
}

/** The program with all its parsing and none of its deeds. */
function harmlessProgram(): Command {
  const program = createProgram();
  const quiet = { writeOut: () => undefined, writeErr: () => undefined };
  program.configureOutput(quiet);
  for (const command of program.commands.flatMap((each) => [each, ...each.commands])) {
    command.configureOutput(quiet);
    // What is only there for its subcommands has no action.
    if (command.commands.length === 0) command.action(() => undefined);
    if (command.name() === 'set') {
      command.action((_domain, _policy, { policyOption }: { policyOption?: readonly string[] }) => {
        parsePolicyOptions(policyOption ?? []);
      });
    }
    if (command.name() !== 'run' && command.name() !== 'domains') continue;
    command.action((_options, self: Command) => {
      planFor(topology, loadConfig(configInput(self)));
    });
  }
  return program;
}

async function holds(args: readonly string[]): Promise<void> {
  try {
    await harmlessProgram().parseAsync(args, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return;
    if (!(error instanceof UserError)) throw error;
    expect(error.message).not.toMatch(STACK);
    const lines = error.message.split('\n');
    if (error.exitCode === 64) for (const line of lines) expect(line).toMatch(/^--[a-z-]+: \S.{0,700}$/u);
    else {
      expect(error.exitCode).toBe(78);
      const files = args.flatMap((arg) => [arg, arg.replace(/^--config=/, '')]);
      for (const line of lines) {
        expect(files.some((name) => line.startsWith(name === '' ? '"": ' : `${name}:`))).toBe(true);
      }
    }
  }
}

test('any command line is understood or refused, and a refusal names the option or the file', async () => {
  const policies = ['policy list', 'policy set', 'policy show'] as const;
  const commands = ['run', 'domains', ...policies, 'sandbox', 'doctor', 'demo'] as const;
  await fc.assert(fc.asyncProperty(commandLine(commands), holds), { numRuns: 2000 });
  expect(Reflect.ownKeys(Object.prototype)).not.toContain('polluted');
});

test('any words at all are understood or refused', async () => {
  await fc.assert(fc.asyncProperty(fc.array(value, { maxLength: 6 }), holds), { numRuns: 500 });
});

test('options that take numbers refuse what a timer or a machine cannot take', async () => {
  for (const args of [
    ['run', '--duration', '2147484'],
    ['sandbox', '--timeout', '2147484', '--', 'true'],
    ['sandbox', '--memory', '1e300', '--', 'true'],
    ['sandbox', '--cpus', '1e3', '--', 'true'],
  ]) {
    await expect(harmlessProgram().parseAsync(args, { from: 'user' })).rejects.toThrow(/expected a |invalid/);
  }
});

interface Outcome {
  readonly args: readonly string[];
  readonly code: number | string;
  readonly text: string;
}

function nodeland(args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const { NODELAND_DEBUG: _debug, ...env } = process.env;
    execFile(
      process.execPath,
      [MAIN, ...args],
      { env, timeout: 20_000, maxBuffer: 2 ** 24 },
      (error, out, err) => {
        resolve({ args, code: error ? (error.code ?? String(error.signal)) : 0, text: out + err });
      },
    );
  });
}

test(
  'a process ends with a code that says what was wrong, and shows no stack',
  { timeout: 240_000 },
  async () => {
    const commands = mayAttach
      ? (['domains', 'doctor', 'policy show'] as const)
      : (['run', 'domains', 'doctor', 'demo', 'policy list', 'policy set', 'policy show'] as const);
    const lines = fc.sample(commandLine(commands), 24);
    // The sandbox would boot: it never gets a number of CPUs that it can have.
    lines.push(
      ...fc.sample(value, 6).map((text) => ['sandbox', `--kernel=${text}`, '--cpus', 'none', '--', 'true']),
    );
    // Two at a time.
    const outcomes: Outcome[] = [];
    const next = async (): Promise<void> => {
      for (let args = lines.pop(); args; args = lines.pop()) outcomes.push(await nodeland(args));
    };
    await Promise.all([next(), next()]);
    expect(outcomes).toHaveLength(30);
    expect(outcomes.filter(({ code }) => ![0, 64, 69, 77, 78].includes(Number(code)))).toEqual([]);
    expect(outcomes.filter(({ text }) => STACK.test(text))).toEqual([]);
  },
);
