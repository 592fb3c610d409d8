// The stages of `npm test`, in order. Each gives { passed, failed, skipped: [{ name, reason }] }.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
  ['bpf', 'native', 'bench', 'test'].flatMap((folder) =>
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

/** Runs one vitest project; `reasonToSkip` explains skipped tests that gave no reason themselves. */
function runVitest(project, reasonToSkip) {
  const folder = mkdtempSync(join(tmpdir(), 'nodeland-test-'));
  const report = join(folder, 'report.json');
  try {
    const exitCode = run(
      process.execPath,
      [
        'node_modules/vitest/vitest.mjs',
        ...['run', '--project', project, '--passWithNoTests', '--configLoader=runner'],
        ...['--reporter=default', '--reporter=./scripts/test/reporter.mjs'],
      ],
      { env: { ...process.env, NODELAND_TEST_REPORT: report } },
    );
    if (!existsSync(report)) return failedOnce;
    const { passed, failed, skipped } = JSON.parse(readFileSync(report, 'utf8'));
    const reason = reasonToSkip() ?? 'no reason given';
    return {
      passed,
      failed: exitCode !== 0 && failed === 0 ? 1 : failed,
      skipped: skipped.map((test) => ({ name: test.name, reason: test.reason ?? reason })),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

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
  { name: 'sandbox', needsBuild: true, run: () => runVitest('sandbox', whyNoSandbox) },
  { name: 'faults', needsBuild: true, run: () => runVitest('faults', whyNoSandbox) },
  { name: 'soak', needsBuild: true, isOnRequest: true, run: () => runVitest('soak', whyNoSandbox) },
  { name: 'manycore', needsBuild: true, isOnRequest: true, run: () => runVitest('manycore', whyNoSandbox) },
];
