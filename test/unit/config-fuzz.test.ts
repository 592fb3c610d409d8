/** Whatever a configuration says, it is valid or refused in sentences: no exception of another kind, no stack, no long wait. */
import fc from 'fast-check';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { UserError } from '../../src/cli/errors.js';
import { type RunConfig, loadConfig, mergeConfig } from '../../src/config/config.js';
import { parseConfigText } from '../../src/config/file.js';
import { EXPECTED, settingsSchema } from '../../src/config/schema.js';
import { DomainSpecError, parseDomainSpec } from '../../src/domain/spec.js';
import { parseCpuList } from '../../src/topology/cpulist.js';

const KEYS = Object.keys(EXPECTED);
/** Far more than any of these takes; parsing one without bounds took a minute. */
const AT_ONCE_MS = 3_000;
const folder = mkdtempSync(join(tmpdir(), 'nodeland-fuzz-'));
afterAll(() => rmSync(folder, { recursive: true }));

const prototypeBefore = Reflect.ownKeys(Object.prototype);
afterEach(() => expect(Reflect.ownKeys(Object.prototype)).toEqual(prototypeBefore));

let startMs = 0;
beforeEach(() => {
  startMs = performance.now();
});

/** A valid configuration, or a refusal that a user can read. */
function holds(attempt: () => RunConfig): string {
  let config: RunConfig;
  try {
    config = attempt();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    expect(error.exitCode).toBe(78);
    for (const line of error.message.split('\n')) {
      expect(line.length).toBeLessThan(700);
      expect(line).toMatch(/^[^\p{Cc}\u2028\u202e]+$/u);
      expect(line).toMatch(/^\S+?(?::\d+:\d+)?: \S/);
      expect(line).not.toMatch(/^ {4}at |\[object |maximum call stack/i);
    }
    return error.message;
  }
  const { verbose: _verbose, origins: _origins, ...settings } = config;
  expect(settingsSchema.parse(settings)).toEqual(settings);
  return '';
}

const parse = (text: string): RunConfig => mergeConfig(parseConfigText(text, 'n.yaml'));

const hostileText = fc.constantFrom(
  ...['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'null', '~', '', ' ', '\u202e'],
  ...[
    '.nan',
    '.inf',
    '-.Inf',
    'NaN',
    '1e400',
    '-0',
    '0x7f',
    '0o17',
    '1_000',
    '9'.repeat(400),
    '100.0',
    '1e3',
  ],
  ...[
    'yes',
    'TRUE',
    '2001-01-01',
    'vtime',
    './p.js',
    'p.ts',
    '0-3;4-7',
    '0-65535',
    'node',
    '\u001b[31m',
    '\u009b2J',
  ],
);
const key = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...KEYS) }, hostileText);

describe('a configuration file', () => {
  test('of any keys and any scalars, quoted or not, is valid or refused', () => {
    const scalar = fc
      .tuple(hostileText, fc.constantFrom('', '"', "'", '!!str ', '!!int ', '!!binary ', '&a ', '*'))
      .map(([text, how]) => {
        if (how === '"') return JSON.stringify(text);
        return how === "'" ? `'${text}'` : how + text;
      });
    const value = fc.oneof(
      scalar,
      fc.array(scalar, { maxLength: 3 }).map((all) => `[${all.join(', ')}]`),
    );
    const map = fc.array(fc.tuple(key, value), { maxLength: 4 });
    const braced = (pairs: [string, string][]): string =>
      `{${pairs.map((pair) => pair.join(': ')).join(', ')}}`;
    const choice = fc.tuple(
      fc.constantFrom('0', '1', '63', '64', '"0"', '__proto__'),
      fc.constantFrom('policy: ', 'policy: fifo, ', '', 'policy: ./p.ts, ', 'Policy: fifo, '),
      fc.constantFrom('options: ', 'options: &o ', 'option: '),
      map,
    );
    const inner = fc.oneof(
      map.map(braced),
      choice.map(([domain, policy, options, pairs]) => `{${domain}: {${policy}${options}${braced(pairs)}}}`),
    );
    const lines = fc.array(fc.tuple(key, fc.oneof(value, inner)), { maxLength: 6 });
    const start = fc.constantFrom('', '\ufeff', '%YAML 1.1\n---\n', '---\n');
    fc.assert(
      fc.property(start, lines, fc.constantFrom('\n', '\r\n'), (head, pairs, end) => {
        holds(() => parse(head + pairs.map((pair) => pair.join(': ') + end).join('')));
      }),
      { numRuns: 1500 },
    );
  });

  test('of any values at all, as another parser might give them, is valid or refused', () => {
    const value = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withNullPrototype: true,
      withSparseArray: true,
      withTypedArray: true,
      maxDepth: 3,
      key: hostileText,
    });
    fc.assert(
      fc.property(fc.array(fc.tuple(key, value), { maxLength: 4 }), (entries) => {
        const file = {
          name: 'n.yaml',
          values: Object.fromEntries(entries),
          placeOf: () => ({ line: 1, column: 1 }),
        };
        holds(() => mergeConfig(file));
      }),
      { numRuns: 1500, examples: [[[['policy', Symbol('s')]]], [[['domains', () => 0]]]] },
    );
  });

  test('with any of its bytes changed is valid or refused', () => {
    const good = Buffer.from(
      'domains: "0-3;4-7"\npolicyOptions: {a: 1, b: [x]}\ndomainPolicies: {0: fifo, 1: {policy: ./p.ts, options: {a: 1}}}\nsliceUs: 2000\nsocket: s\n',
    );
    const change = fc.record({ at: fc.nat(good.length - 1), byte: fc.nat(255) });
    const file = join(folder, 'changed.yaml');
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), fc.nat(good.length), (changes, cut) => {
        const bytes = Buffer.from(good);
        for (const { at, byte } of changes) bytes[at] = byte;
        writeFileSync(file, bytes.subarray(0, cut === 0 ? undefined : cut));
        holds(() => loadConfig({ file }));
      }),
      { numRuns: 600 },
    );
  });

  test('of any bytes is valid or refused', () => {
    const file = join(folder, 'garbage.yaml');
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        writeFileSync(file, bytes);
        holds(() => loadConfig({ file }));
      }),
      { numRuns: 300 },
    );
  });
});

describe('a configuration file that is made to hurt is refused at once', () => {
  const many = (count: number, line: (index: number) => string): string =>
    Array.from({ length: count }, (_, index) => line(index)).join('\n');
  const laughs = many(
    12,
    (i) =>
      `k${i}: &k${i} [${Array(9)
        .fill(i === 0 ? 'ha' : `*k${i - 1}`)
        .join(', ')}]`,
  );

  test.each<[string, string, string]>([
    ['repeats itself without end', laughs, 'resource exhaustion'],
    ['is nested by brackets', '['.repeat(60_000), 'found more than 32 levels'],
    [
      'is nested by brackets that are closed',
      `a: ${'['.repeat(20_000)}${']'.repeat(20_000)}`,
      'more than 32 levels',
    ],
    ['is nested by braces', 'a: {'.repeat(15_000), 'found more than 32 levels'],
    ['is nested by dashes', '- '.repeat(30_000), 'found more than 32 levels'],
    ['is nested by questions', '? '.repeat(30_000), 'found more than 32 levels'],
    ['is nested by indentation', many(300, (i) => `${' '.repeat(i)}a:`), 'found more than 32 levels'],
    ['has many keys', many(6000, (i) => `k${i}: 1`), 'found more than 4000 words and signs'],
    ['has many anchors', many(5000, (i) => `k${i}: &a${i} 1`), 'found more than 4000 words and signs'],
    [
      'has many aliases',
      `x: &x 1\n${many(6000, (i) => `k${i}: *x`)}`,
      'found more than 4000 words and signs',
    ],
    ['has many documents', '---\n'.repeat(15_000), 'found more than 4000 words and signs'],
    ['has many directives', '%A\n'.repeat(15_000), 'found more than 4000 words and signs'],
    ['has one long word', 'x'.repeat(65_000), 'expected a map of settings'],
    ['has one long alias', `policy: *${'x'.repeat(65_000)}`, 'Unresolved alias'],
    ['has one long tag', `policy: !${'x'.repeat(65_000)} 1`, 'Unresolved tag'],
    ['names every CPU over and over', `domains: "${'0-65535,'.repeat(8000)}0"`, 'over and over'],
    [
      'names every CPU in every domain',
      `domains: "${'0-65535;'.repeat(60)}0"`,
      'nodeland schedules CPUs 0 to 1023 only',
    ],
    ['names thousands of domains', `domains: "${'0;'.repeat(20_000)}0"`, 'at most 64 domains'],
    [
      'hides a key of every object',
      'domainPolicies: {__proto__: fifo}',
      'domainPolicies.__proto__: expected a map',
    ],
    ['hides one deeper', 'policy: {__proto__: {polluted: 1}}', 'policy: expected'],
    ['hides an option', 'policyOptions: {__proto__: 1}', 'policyOptions: expected a map from option names'],
    [
      'holds itself',
      'policyOptions: &a {x: [*a, *a, *a]}',
      'policyOptions: expected a map from option names',
    ],
    [
      'hides a policy',
      'domainPolicies: {0: {policy: fifo, __proto__: 1}}',
      'domainPolicies.0: unknown key "__proto__"',
    ],
    ['ends a path early', 'policy: "./a\\0.ts"', 'policy: expected'],
    ['commands the terminal', 'wait: "\\e[2J\\x9b31m"', '\\u001b[2J\\u{9b}31m'],
    ['commands the terminal by a key', 'domainPolicies: {"\\e[2J": fifo}', 'domainPolicies.\\u{1b}[2J'],
    ['is a set', '%YAML 1.1\n---\n!!set {policy}\n', 'expected a map of settings'],
    [
      'writes a key twice',
      'policy: fifo\r\npolicy: vtime\r\n',
      'n.yaml:2:1: not valid YAML: Map keys must be unique',
    ],
  ])('because it %s', (_what, text, message) => {
    expect(holds(() => parse(text))).toContain(message);
    expect(performance.now() - startMs).toBeLessThan(AT_ONCE_MS);
  });

  const letters = Array.from(' \t\n\r,:#"\'!&*%@`|>-?[]{}\0~a1/;\ufeff', (letter) => [
    JSON.stringify(letter),
    letter,
  ]);
  test.each(letters)('or because it is nothing but %s', (_name, letter) => {
    holds(() => parse(letter.repeat(60_000)));
    holds(() => parse(`a: ${letter.repeat(60_000)}`));
    expect(performance.now() - startMs).toBeLessThan(2 * AT_ONCE_MS);
  });

  test('and its mistakes are told once each, and not by the thousand', () => {
    expect(holds(() => parse('sliceUs: 1e30\n')).split('\n')).toHaveLength(1);
    const lines = holds(() => parse(many(500, (i) => `k${i}: 1`))).split('\n');
    expect([lines.length, lines.at(-1)]).toEqual([21, 'n.yaml: and 480 more']);
  });
});

describe('a path that is no configuration file', () => {
  mkdirSync(join(folder, 'folder'));
  writeFileSync(join(folder, 'file'), '');
  symlinkSync('nowhere', join(folder, 'dangling'));
  symlinkSync('loop', join(folder, 'loop'));
  writeFileSync(join(folder, 'utf16'), Buffer.from('\ufeffpolicy: fifo', 'utf16le'));
  writeFileSync(join(folder, 'latin1'), Buffer.from('policy: ./häh.js', 'latin1'));

  test.each<[string, string]>([
    [join(folder, 'folder'), 'cannot be read (EISDIR)'],
    [join(folder, 'file', 'below'), 'cannot be read (ENOTDIR)'],
    [join(folder, 'dangling'), 'no such file'],
    [join(folder, 'loop'), 'cannot be read (ELOOP)'],
    [join(folder, 'x'.repeat(300)), 'cannot be read (ENAMETOOLONG)'],
    [join(folder, 'utf16'), 'expected YAML in UTF-8'],
    [join(folder, 'latin1'), 'expected YAML in UTF-8'],
    ['/dev/zero', 'too many for a configuration file'],
    ['/dev/urandom', 'too many for a configuration file'],
    ['/proc/self/mem', 'cannot be read (EIO)'],
  ])('is refused: %s', (file, message) => {
    const told = holds(() => loadConfig({ file }));
    expect(told.startsWith(`${file}: `)).toBe(true);
    expect(told).toContain(message);
    expect(performance.now() - startMs).toBeLessThan(AT_ONCE_MS);
  });

  test('because no path can be like that is refused', () => {
    expect(() => loadConfig({ file: 'a\0b' })).toThrow(UserError);
    expect(() => loadConfig({ file: '' })).toThrow(UserError);
  });

  test('but nothing is in it, /dev/null, is the default configuration', () => {
    expect(loadConfig({ file: '/dev/null' })).toEqual(loadConfig());
  });

  test('but has a byte order mark and the line ends of another system is read', () => {
    const file = join(folder, 'windows.yaml');
    writeFileSync(file, '\ufeffpolicy: fifo\r\nsliceUs: 2000\r\n');
    expect(loadConfig({ file })).toMatchObject({ policy: 'fifo', sliceUs: 2000 });
  });
});

test('any value for any option is valid or refused with the name of the option', () => {
  const value = fc.oneof(hostileText, fc.anything());
  fc.assert(
    fc.property(fc.array(fc.tuple(key, value), { maxLength: 4 }), (given) => {
      const options = Object.fromEntries(
        given.map(([name, each]) => [name, { option: `--${name}`, value: each }]),
      );
      try {
        mergeConfig(undefined, options);
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        expect(error.exitCode).toBe(64);
        for (const line of error.message.split('\n'))
          expect(line).toMatch(/^--\w+(?:\..*)?: (?:expected .*, found |unknown key .*; the keys are )/);
      }
    }),
    { numRuns: 1500, examples: [[[['domainPolicies', { 0: { '': false } }]]]] },
  );
});

describe('a domain spec', () => {
  const listText = fc.array(
    fc.constantFrom(
      '0',
      '3',
      '7',
      '1023',
      '1024',
      '65535',
      '65536',
      '99999999999',
      '-',
      ',',
      ';',
      ':',
      '/',
      ' ',
      '\n',
    ),
    { maxLength: 20 },
  );

  test('of any text is read, or refused in one line', () => {
    const text = fc.oneof(
      fc.string(),
      hostileText,
      listText.map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(text, (spec) => {
        try {
          const read = parseDomainSpec(spec);
          if (read.kind !== 'lists') expect(spec.trim()).toBe(read.kind);
          else
            for (const cpus of read.lists) {
              expect(cpus.length).toBeGreaterThan(0);
              expect(cpus).toEqual([...new Set(cpus)].sort((a, b) => a - b));
              expect(cpus.at(-1)).toBeLessThan(1024);
            }
        } catch (error) {
          expect(error).toBeInstanceOf(DomainSpecError);
          expect((error as Error).message).toMatch(/^.{1,200}$/);
        }
      }),
      { numRuns: 3000 },
    );
  });

  test('and a CPU list of any length takes no longer than it is long', () => {
    for (const text of ['0-65535,'.repeat(20_000), '1'.repeat(200_000), '0-65535:1/1,'.repeat(10_000)]) {
      expect(() => parseCpuList(text)).toThrow(/^.{1,200}$/);
    }
    expect(parseCpuList(Array.from({ length: 65_536 }, (_, cpu) => cpu).join(','))).toHaveLength(65_536);
    expect(performance.now() - startMs).toBeLessThan(AT_ONCE_MS);
  });
});
