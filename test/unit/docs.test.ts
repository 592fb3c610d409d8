/** The README and docs/ say nothing that is not there: counters, files, headings, options, settings. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { createProgram } from '../../src/cli/program.js';
import { mergeConfig } from '../../src/config/config.js';
import { parseConfigText } from '../../src/config/file.js';
import { COUNTER_NAMES, HIST_NAMES, WORKER_STAT_NAMES } from '../../src/shm/layout.generated.js';
import { checkWorkload } from '../../src/sim/workloads/load.js';
import { WORKLOAD_NAMES } from '../../src/sim/workloads/named.js';
import { PER_CPU, workloadSchema } from '../../src/sim/workloads/schema.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];
const textOf = (page: string): string => readFileSync(join(root, page), 'utf8');
const withoutBlocks = (text: string): string => text.replace(/^```[^]*?^```$/gm, '');
const readme = textOf('README.md');

/** The name in the first column of each table row that begins with one in code. */
const rowNames = (text: string): string[] => [...text.matchAll(/^\| `([^`]+)`/gm)].map(([, name]) => name);

/** A group of the kind with its defaults. */
function groupOf(kind: string): object {
  const { it } = workloadSchema.parse({ groups: { it: { kind } } }).groups;
  return it;
}

const program = createProgram();
const commandNamed = (name: string): Command | undefined =>
  program.commands.find((command) => command.name() === name);
const hasOption = (command: Command, option: string): boolean =>
  new RegExp(`(?:^|[\\s,])${option}(?![\\w-])`, 'm').test(command.helpInformation()) ||
  command.commands.some((child) => hasOption(child, option));

describe('docs/counters.md', () => {
  test('has every counter, histogram and worker statistic, and no other', () => {
    const names = [...COUNTER_NAMES, ...HIST_NAMES, ...WORKER_STAT_NAMES];
    expect(rowNames(textOf('docs/counters.md')).sort()).toEqual([...names].sort());
  });
});

describe.each(pages)('%s', (page) => {
  const links = [...withoutBlocks(textOf(page)).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target)
    .filter((target) => !/^[a-z]+:/.test(target));

  test('links only to files and headings that are there', () => {
    const broken = links.filter((link) => {
      const [path, heading] = link.split('#') as [string, string?];
      const target = path === '' ? page : join(dirname(page), path);
      if (!existsSync(join(root, target))) return true;
      return heading !== undefined && !headingsOf(target).includes(heading);
    });
    expect(broken).toEqual([]);
  });

  test('names only options that the command has', () => {
    const calls = [...textOf(page).matchAll(/nodeland ([a-z]+)((?: +[^\s`#|)]+)*)/g)];
    const wrong = calls.flatMap(([, name = '', rest = '']) => {
      const command = commandNamed(name);
      const own = rest.split(' -- ', 1)[0] ?? '';
      const options = own.match(/(?<![\w-])--?[a-z][\w-]*/g) ?? [];
      if (command === undefined) return options.length > 0 ? [`nodeland ${name}`] : [];
      return options.filter((option) => !hasOption(command, option)).map((option) => `${name} ${option}`);
    });
    expect(wrong).toEqual([]);
  });
});

describe('docs/simulate.md', () => {
  const text = textOf('docs/simulate.md');

  test('has every kind of group with its own keys and their defaults', () => {
    expect(Object.keys(PER_CPU).length).toBeGreaterThan(5);
    const common = Object.keys(groupOf('hogs'));
    for (const [kind, perCpu] of Object.entries(PER_CPU)) {
      const row = text.split('\n').find((line) => line.startsWith(`| \`${kind}\` `)) ?? '';
      const own = Object.entries(groupOf(kind)).filter(([key]) => !common.includes(key));
      const [, , , keys = '', number] = row.split('|').map((cell) => cell.trim());
      expect({ kind, keys, number }).toEqual({
        kind,
        keys: own.map(([key, value]) => `\`${key}\` ${String(value)}`).join(', '),
        number: String(perCpu),
      });
    }
    for (const key of common.filter((each) => each !== 'kind')) expect(text).toContain(`\`${key}\``);
  });

  test('names every workload, and shows one that is accepted', () => {
    for (const name of WORKLOAD_NAMES) expect(text).toContain(`\`${name}\``);
    const [, yaml = ''] = /^```yaml\n([^]*?)^```$/m.exec(text) ?? [];
    expect(Object.keys(checkWorkload(parseConfigText(yaml, 'simulate.md')).groups)).toEqual(['web', 'batch']);
  });
});

describe('README.md', () => {
  test('has each option of nodeland run in its table', () => {
    const run = commandNamed('run')!;
    const flags = run.options.map((option) => option.flags);
    expect(rowNames(readme).filter((name) => name.startsWith('-'))).toEqual(flags);
  });

  test('names no option that no command has', () => {
    const code = [...readme.matchAll(/`([^`\n]+)`/g)].map(([, text]) => text);
    const options = code.flatMap((text) => text.match(/(?<![\w-])--[a-z][\w-]*/g) ?? []);
    expect(options.length).toBeGreaterThan(10);
    expect(
      options.filter((option) => !program.commands.some((command) => hasOption(command, option))),
    ).toEqual([]);
  });

  test('shows a configuration that is accepted', () => {
    const [, yaml = ''] = /^```yaml\n([^]*?)^```$/m.exec(readme) ?? [];
    expect(yaml).not.toBe('');
    expect(mergeConfig(parseConfigText(yaml, 'README.md')).domainPolicies[1]).toEqual('fifo');
  });

  test('names only folders that are there', () => {
    const folders = rowNames(readme).filter((name) => name.endsWith('/'));
    expect(folders.length).toBeGreaterThan(10);
    expect(folders.filter((folder) => !existsSync(join(root, folder)))).toEqual([]);
  });

  test('names only scripts of package.json', () => {
    const { scripts } = JSON.parse(textOf('package.json')) as { scripts: Record<string, string> };
    const called = [...readme.matchAll(/npm run ([\w:]+)/g)].map(([, name]) => name);
    expect(called.filter((name) => !(name in scripts))).toEqual([]);
  });
});

/** Anchors of a page's headings, as they are made where Markdown is shown. */
function headingsOf(page: string): string[] {
  return [...withoutBlocks(textOf(page)).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
}
