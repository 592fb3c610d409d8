// The stages of `npm test`, in order. Each gives { passed, failed, skipped: [{ name, reason }] }.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { checkoutDir } from '../paths.mjs';
import { findCommand, run } from '../run.mjs';
import { findMissingArtefacts } from '../setup/artefacts.mjs';
import { isRoot } from '../setup/machine.mjs';
import { findMissing } from '../setup/requirements.mjs';
import { listFiles } from '../stamp.mjs';

const passedOnce = { passed: 1, failed: 0, skipped: [] };
const failedOnce = { passed: 0, failed: 1, skipped: [] };
const skippedOnce = (name, reason) => ({ passed: 0, failed: 0, skipped: [{ name, reason }] });

const node = (script, ...args) => run(process.execPath, [script, ...args]);
const check = (exitCode) => (exitCode === 0 ? passedOnce : failedOnce);

export const clangFormat = 'clang-format-19';
/** The C and C++ sources of the project. */
export const listNativeSources = () =>
  ['bpf', 'native', 'include', 'bench', 'test'].flatMap((folder) =>
    listFiles(folder, '.c', '.cc', '.h', '.hh', '.cpp', '.hpp'),
  );

function checkNativeFormat() {
  if (!findCommand(clangFormat)) return skippedOnce('clang-format', `${clangFormat} is not installed`);
  const sources = listNativeSources();
  return sources.length === 0 ? passedOnce : check(run(clangFormat, ['--dry-run', '-Werror', ...sources]));
}

function checkLayout() {
  const generator = 'scripts/gen-layout.mjs';
  if (!existsSync(join(checkoutDir, generator))) return skippedOnce('layout', `there is no ${generator}`);
  const exitCode = node(generator, '--check');
  if (exitCode !== 0) console.error('`npm run build` writes the layout anew; commit what it writes.');
  return check(exitCode);
}

/** Runs one vitest project, or some of its files, and returns the reporter's list of files; undefined when there is none. */
function vitest(project, files = []) {
  const folder = mkdtempSync(join(tmpdir(), 'nodeland-test-'));
  const reportFile = join(folder, 'report.json');
  try {
    const exitCode = run(
      process.execPath,
      [
        'node_modules/vitest/vitest.mjs',
        ...['run', '--project', project, '--passWithNoTests', '--configLoader=runner'],
        ...['--reporter=default', '--reporter=./scripts/test/reporter.mjs'],
        ...files,
      ],
      { env: { ...process.env, NODELAND_TEST_REPORT: reportFile } },
    );
    if (!existsSync(reportFile)) return undefined;
    const report = JSON.parse(readFileSync(reportFile, 'utf8'));
    const isKnown = exitCode === 0 || report.some(({ failed }) => failed > 0);
    return isKnown ? report : [...report, { file: null, passed: 0, failed: 1, skipped: [] }];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs one vitest project; `reasonToSkip` explains skipped tests that gave no reason themselves. */
function runVitest(project, reasonToSkip, runs = vitest) {
  const report = runs(project);
  if (report === undefined) return failedOnce;
  const otherReason = reasonToSkip() ?? 'no reason given';
  const sum = (key) => report.reduce((total, file) => total + file[key], 0);
  const skipped = report.flatMap((file) => file.skipped);
  return {
    passed: sum('passed'),
    failed: sum('failed'),
    skipped: skipped.map(({ name, reason }) => ({ name, reason: reason ?? otherReason })),
  };
}

/**
 * Machines in QEMU share this one's CPUs with whatever else runs on it, and a test in them can fail for that alone. A file in
 * which something failed is run once more, whole, in a new machine; what counts is then its second run. It says so.
 */
function vitestInMachines(project, files = []) {
  const first = vitest(project, files);
  const failed = first?.filter((file) => file.failed > 0) ?? [];
  if (failed.length === 0 || failed.some(({ file }) => file === null)) return first;
  const names = failed.map(({ file }) => relative(checkoutDir, file));
  console.log(`\n== ${project}: once more, because something in it failed: ${names.join(', ')}\n`);
  const second = vitest(project, names);
  if (second === undefined) return first;
  const hasFailed = second.some((file) => file.failed > 0);
  console.log(
    `== ${project}: failed at first, ${hasFailed ? 'and again' : 'not again'}: ${names.join(', ')}`,
  );
  return [...first.filter((file) => file.failed === 0), ...second];
}

const SOME_FAULTS = ['pauses', 'hotplug', 'nonsense'].map((name) => `test/faults/${name}.test.ts`);

const whyNoModel = () => (findCommand('spin') ? undefined : 'spin is not installed');
const whyNoNative = () => (isRoot ? undefined : 'loading BPF programs needs root');

function whyNoSandbox() {
  const missing = [...findMissing({ needsArchive: false }), ...findMissingArtefacts()];
  const names = missing.filter((item) => item.for === 'sandbox').map((item) => item.name);
  return names.length > 0 ? `missing: ${names.join(', ')}` : undefined;
}

/** Each stage: its name, whether it is a lint-like one (a single test), whether it needs the build, and what it does. Those `isOnRequest` run only when named. */
export const stages = [
  {
    name: 'prettier',
    isLint: true,
    run: () => check(node('node_modules/prettier/bin/prettier.cjs', '--check', '--log-level=warn', '.')),
  },
  {
    name: 'eslint',
    isLint: true,
    run: () => check(node('node_modules/eslint/bin/eslint.js', '--max-warnings=0', '.')),
  },
  { name: 'clang-format', isLint: true, run: checkNativeFormat },
  {
    name: 'types',
    isLint: true,
    run: () => check(node('node_modules/typescript/bin/tsc', '-p', 'tsconfig.test.json')),
  },
  { name: 'knip', isLint: true, run: () => check(node('node_modules/knip/bin/knip.js', '--no-progress')) },
  { name: 'layout', isLint: true, needsBuild: true, run: checkLayout },
  { name: 'unit', needsBuild: true, run: () => runVitest('unit', () => undefined) },
  { name: 'model', run: () => runVitest('model', whyNoModel) },
  { name: 'native', needsBuild: true, run: () => runVitest('native', whyNoNative) },
  { name: 'sandbox', needsBuild: true, run: () => runVitest('sandbox', whyNoSandbox, vitestInMachines) },
  // Some ten minutes of the faults that tasks are most likely to wait for; `npm run test:faults` runs all of them.
  {
    name: 'faults',
    needsBuild: true,
    run: () => runVitest('faults', whyNoSandbox, (project) => vitestInMachines(project, SOME_FAULTS)),
  },
  {
    name: 'all-faults',
    needsBuild: true,
    isOnRequest: true,
    run: () => runVitest('faults', whyNoSandbox, vitestInMachines),
  },
  { name: 'soak', needsBuild: true, isOnRequest: true, run: () => runVitest('soak', whyNoSandbox) },
  {
    name: 'policies',
    needsBuild: true,
    isOnRequest: true,
    run: () => runVitest('policies', whyNoSandbox, vitestInMachines),
  },
  { name: 'manycore', needsBuild: true, isOnRequest: true, run: () => runVitest('manycore', whyNoSandbox) },
];
