import fc from 'fast-check';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { UserError } from '../../src/cli/errors.js';
import { type RunConfig, loadConfig, mergeConfig } from '../../src/config/config.js';
import { parseConfigText } from '../../src/config/file.js';
import { planFor } from '../../src/config/plan.js';
import { EXPECTED, settingsSchema } from '../../src/config/schema.js';
import { policySetting } from '../../src/config/policies.js';
import { BUILTIN_POLICY_NAMES } from '../../src/policy/builtin-names.js';
import { readTopology } from '../../src/topology/read.js';
import { sysfsTree } from '../fixtures/sysfs/tree.js';

const POLICIES = `${BUILTIN_POLICY_NAMES.join(', ')} or the path of a policy module (such as ./my.ts)`;

const parse = (text: string, options = {}): RunConfig =>
  mergeConfig(parseConfigText(text, 'n.yaml'), options);

function refusal(attempt: () => unknown): { message: string; exitCode: number } {
  try {
    attempt();
  } catch (error) {
    if (error instanceof UserError) return { message: error.message, exitCode: error.exitCode };
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('a configuration', () => {
  test('has defaults for everything', () => {
    expect(loadConfig()).toEqual({
      domains: 'node',
      policy: 'vtime',
      policyOptions: {},
      domainPolicies: {},
      wait: 'park',
      ask: 'auto',
      partial: false,
      fastPath: true,
      sliceUs: 20_000,
      stallMs: 20,
      slots: 16_384,
      stealUs: 0,
      extensionUs: 200,
      balanceMs: 1_000,
      heartbeatMs: 100,
      verbose: false,
      origins: new Map(),
    });
  });

  test.each(['', '\n', '# nothing yet\n', '---\n'])('from the empty file %j is the default one', (text) => {
    expect(parse(text)).toEqual(loadConfig());
  });

  test('takes every key from a file, in YAML or JSON', () => {
    const values = {
      domains: '0-3;4-7',
      policy: 'fifo',
      policyOptions: { depth: 3, rules: [{ comm: 'make*' }] },
      domainPolicies: { 1: 'vtime', 2: { policy: './mine.ts', options: { on: true } } },
      wait: 'spin',
      ask: 'always',
      partial: true,
      fastPath: false,
      sliceUs: 2000,
      stallMs: 50,
      slots: 1024,
      stealUs: 500,
      extensionUs: 0,
      balanceMs: 0,
      heartbeatMs: 200,
      durationS: 1.5,
      statsS: 1,
      socket: '/run/other.sock',
    };
    expect(Object.keys(values).sort()).toEqual(Object.keys(EXPECTED).sort());
    expect(parse(JSON.stringify(values))).toMatchObject(values);
    const yaml = Object.entries(values).map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`);
    expect(parse(yaml.join(''))).toMatchObject(values);
  });

  test('takes the path of a policy module as well as the name of a built-in one', () => {
    expect(parse('policy: ./my.js\ndomainPolicies: {1: fifo, 0: /opt/p.js}')).toMatchObject({
      policy: './my.js',
      domainPolicies: { 0: '/opt/p.js', 1: 'fifo' },
    });
  });

  test('takes the command line before the file', () => {
    const config = parse('sliceUs: 2000\npolicy: fifo\n', { sliceUs: { option: '--slice-us', value: 3000 } });
    expect(config).toMatchObject({ sliceUs: 3000, policy: 'fifo' });
    expect(config.origins.get('sliceUs')).toEqual({ from: 'command line' });
    expect(config.origins.get('policy')).toMatchObject({ from: 'file', place: 'n.yaml:2:9' });
  });
});

describe('a mistake in a file is told with its place', () => {
  test.each([
    [
      'sliceUs: 5',
      'n.yaml:1:10: sliceUs: expected a whole number of microseconds from 100 to 100000, found 5',
    ],
    [
      '\nsliceUs: "abc"',
      'n.yaml:2:10: sliceUs: expected a whole number of microseconds from 100 to 100000, found "abc"',
    ],
    [
      'stallMs: .inf',
      'n.yaml:1:10: stallMs: expected a whole number of milliseconds from 5 to 1000, found Infinity',
    ],
    ['a: 1\n', 'n.yaml:1:1: unknown key "a"; the keys are domains, policy, '],
    ['policy: fifo\nslice-us: 5000', 'n.yaml:2:1: unknown key "slice-us"; did you mean sliceUs?'],
    ['slice: 5000', 'n.yaml:1:1: unknown key "slice"; did you mean sliceUs?'],
    ['polcy: fifo', 'n.yaml:1:1: unknown key "polcy"; did you mean policy?'],
    ['policy:\n  - fifo', `n.yaml:2:3: policy: expected ${POLICIES}, found a list`],
    ['policy:', `n.yaml:1:8: policy: expected ${POLICIES}, found nothing`],
    ['wait: sleep', 'n.yaml:1:7: wait: expected one of park, spin, poll, found "sleep"'],
    ['partial: yes', 'n.yaml:1:10: partial: expected true or false, found "yes"'],
    [
      'domains: 0-3;7-5',
      'n.yaml:1:10: domains: expected node, llc, core, one, or CPU lists separated by semicolons such as 0-3,8-11;4-7, found "0-3;7-5" (domain 1: range 7-5 runs backwards)',
    ],
    [
      'domains: nodes',
      'n.yaml:1:10: domains: expected node, llc, core, one, or CPU lists separated by semicolons such as 0-3,8-11;4-7, found "nodes"',
    ],
    [
      'domainPolicies:\n  0: fifo\n  1: lifo',
      `n.yaml:3:6: domainPolicies.1: expected a map from domain numbers (0 to 63) to ${POLICIES}, or to a map of policy and options, found "lifo"`,
    ],
    [
      'domainPolicies: {64: fifo}',
      `n.yaml:1:18: domainPolicies.64: expected a map from domain numbers (0 to 63) to ${POLICIES}, or to a map of policy and options, found key "64"`,
    ],
    [
      'domainPolicies: {1: {policy: fifo, option: {}}}',
      'n.yaml:1:36: domainPolicies.1: unknown key "option"; the keys are policy, options',
    ],
    [
      'domainPolicies:\n  1: {options: {}}',
      'n.yaml:2:6: domainPolicies.1.policy: expected a map from domain numbers',
    ],
    [
      'policyOptions: [a]',
      'n.yaml:1:16: policyOptions: expected a map from option names to plain values, found a list',
    ],
    [
      'policyOptions: {a: .nan}',
      'n.yaml:1:16: policyOptions: expected a map from option names to plain values',
    ],
    ["socket: ''", 'n.yaml:1:9: socket: expected a path of 1 to 107 bytes, found ""'],
    ['policy: fifo\npolicy: fifo', 'n.yaml:2:1: not valid YAML: Map keys must be unique'],
    ['policy: [fifo', 'n.yaml:1:14: not valid YAML: '],
    ['policy: *none', 'n.yaml:1:9: not valid YAML: '],
    ['- fifo', 'n.yaml:1:1: expected a map of settings (key: value), found a list'],
    ['fifo', 'n.yaml:1:1: expected a map of settings (key: value), found "fifo"'],
    ['__proto__: 1', 'n.yaml:1:1: unknown key "__proto__"'],
    ['a: 1\n---\nb: 2', 'not valid YAML: '],
  ])('%j', (text, message) => {
    const error = refusal(() => parse(text));
    expect(error.message).toContain(message);
    expect(error.exitCode).toBe(78);
  });

  test('and so is every further one, a line each', () => {
    expect(
      refusal(() => parse('wait: x\nask: y\nfoo: 1\n'))
        .message.split('\n')
        .map((line) => line.slice(0, 10)),
    ).toEqual(['n.yaml:1:7', 'n.yaml:2:6', 'n.yaml:3:1']);
  });

  test('even where the command line overrides it', () => {
    const error = refusal(() => parse('sliceUs: 5\n', { sliceUs: { option: '--slice-us', value: 5000 } }));
    expect(error.message).toContain('n.yaml:1:10');
  });
});

test('a mistake on the command line names the option', () => {
  const error = refusal(() => parse('', { sliceUs: { option: '--slice-us', value: 'abc' } }));
  expect(error).toEqual({
    message: '--slice-us: expected a whole number of microseconds from 100 to 100000, found "abc"',
    exitCode: 64,
  });
});

describe('a file that cannot be read', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nodeland-config-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  test('because there is none is a configuration error', () => {
    const error = refusal(() => loadConfig({ file: join(folder, 'none.yaml') }));
    expect(error).toEqual({ message: `${join(folder, 'none.yaml')}: no such file`, exitCode: 78 });
  });
  test('because it is a folder says so', () => {
    expect(refusal(() => loadConfig({ file: folder })).message).toBe(`${folder}: cannot be read (EISDIR)`);
  });
  test('because it is far too large is not parsed', () => {
    const file = join(folder, 'large.yaml');
    writeFileSync(file, '#'.repeat(2 ** 20 + 1));
    expect(refusal(() => loadConfig({ file })).message).toContain('too many for a configuration file');
  });
});

describe('the policy of a domain', () => {
  const of = (config: RunConfig, domain: number): unknown[] => {
    const setting = policySetting(config, domain);
    const { policy, folder, options, aboutPolicy } = setting;
    return [policy, folder, options, aboutPolicy, setting.aboutOption(['a', 'b'])];
  };
  const text = [
    'policy: mine.ts',
    'policyOptions: {a: 1, c: 2}',
    'domainPolicies:',
    '  1: fifo',
    '  2: {policy: ../x.js, options: {a: {b: 3}}}',
  ].join('\n');
  const inFolder = (options = {}): RunConfig => mergeConfig(parseConfigText(text, '/etc/n.yaml'), options);

  test('is its own with its own options, or the main one with its options, each with its place', () => {
    const config = inFolder();
    expect(of(config, 0)).toEqual([
      'mine.ts',
      '/etc',
      { a: 1, c: 2 },
      '/etc/n.yaml:1:9: policy',
      '/etc/n.yaml:2:20: policyOptions.a.b',
    ]);
    const domain1 = '/etc/n.yaml:4:6: domainPolicies.1';
    expect(of(config, 1)).toEqual(['fifo', '/etc', undefined, domain1, domain1]);
    expect(of(config, 2)).toEqual([
      '../x.js',
      '/etc',
      { a: { b: 3 } },
      '/etc/n.yaml:5:15: domainPolicies.2.policy',
      '/etc/n.yaml:5:41: domainPolicies.2.options.a.b',
    ]);
  });

  test('has options of the command line before those of the file', () => {
    const policyOptions = { option: '--policy-option', value: { a: 5 } };
    const config = inFolder({ policyOptions });
    expect(config.policyOptions).toEqual({ a: 5, c: 2 });
    const setting = policySetting(config, 0);
    expect([setting.aboutOption(['a']), setting.aboutOption(['c'])]).toEqual([
      '--policy-option: a',
      '/etc/n.yaml:2:26: policyOptions.c',
    ]);
  });

  test('has none of the file when the command line names the policy', () => {
    const config = inFolder({ policy: { option: '--policy', value: './other.ts' } });
    expect(of(config, 0)).toEqual(['./other.ts', '.', undefined, '--policy', 'policyOptions.a.b']);
    expect(of(config, 1)[0]).toBe('fifo');
  });
});

describe('a plan that does not fit the machine', () => {
  const topology = readTopology({ sysfsRoot: sysfsTree('two-nodes') });

  test('is told at its place in the file', () => {
    const error = refusal(() => planFor(topology, parse('policy: fifo\ndomains: 0-3;4-6\n')));
    expect(error).toEqual({
      message: 'n.yaml:2:10: domains: CPU 7 is in no domain (online here: 0-7)',
      exitCode: 78,
    });
  });
  test('is told as the option on the command line', () => {
    const config = parse('domains: node', { domains: { option: '--domains', value: '0-8' } });
    expect(refusal(() => planFor(topology, config))).toEqual({
      message: '--domains: CPU 8 is not in this machine (online here: 0-7)',
      exitCode: 64,
    });
  });
  test('or a policy for a domain that is not there', () => {
    const error = refusal(() => planFor(topology, parse('domainPolicies: {0: fifo, 2: fifo}')));
    expect(error.message).toBe(
      'n.yaml:1:17: domainPolicies: no domain 2 in this plan, whose domains are 0 to 1',
    );
  });
});

describe('whatever a file says', () => {
  const holds = (text: string): void => {
    try {
      const { verbose: _verbose, origins: _origins, ...settings } = parse(text);
      expect(settingsSchema.parse(settings)).toEqual(settings);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      expect(error.exitCode).toBe(78);
      expect(error.message).toMatch(/^n\.yaml:\d+:\d+: /);
    }
  };

  test('any text is a valid configuration or a UserError with a place', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), holds), { numRuns: 500 });
  });

  test('and so is any text made of what YAML is made of', () => {
    const token = fc.constantFrom(
      ...Object.keys(EXPECTED),
      ...[
        'fifo',
        'vtime',
        'park',
        'true',
        '5000',
        '0x10',
        '.nan',
        '~',
        '&a',
        '*a',
        '<<',
        '!!binary',
        '!t',
        '__proto__',
        'toString',
      ],
      ...[
        ': ',
        ':',
        '\n',
        '\n  ',
        '- ',
        '? ',
        '{',
        '}',
        '[',
        ']',
        ', ',
        '"',
        "'",
        '|',
        '>',
        '#',
        '---',
        '...',
        '%',
        '\t',
        '0-3;4',
      ],
    );
    fc.assert(
      fc.property(
        fc.array(token, { maxLength: 25 }).map((tokens) => tokens.join('')),
        holds,
      ),
      { numRuns: 5000 },
    );
  });

  test('and so is any value for any key', () => {
    const entries = fc.dictionary(fc.constantFrom(...Object.keys(EXPECTED), 'other'), fc.jsonValue());
    fc.assert(
      fc.property(
        entries.map((values) => JSON.stringify(values)),
        holds,
      ),
      { numRuns: 1000 },
    );
  });

  test('and a file that repeats itself without end is refused at once', () => {
    const lines = ['a: &a [x, x, x, x, x, x, x, x, x]'];
    for (let code = 98; code < 108; code++) {
      const name = String.fromCharCode(code);
      const before = String.fromCharCode(code - 1);
      lines.push(`${name}: &${name} [${Array.from({ length: 9 }, () => `*${before}`).join(', ')}]`);
    }
    expect(refusal(() => parse(lines.join('\n'))).message).toContain('not valid YAML');
  });
});
