/**
 * `npm run bench -- check`: the loopback benchmarks afresh, several processes of each in turn, against the committed
 * baseline. Compared are ratios of two things measured in the same run, so that the machine's speed cancels out.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { EXIT, type ExitCode, UserError } from '../src/cli/errors.js';
import { type Comparison, comparisonText, compareResults, LIMIT, missingFigures } from './lab/compare.js';
import { wholeNumber } from '../src/cli/whole-number.js';
import { ratioFigure, type Result } from './lab/result.js';
import { BASELINE, readResult, readResults, saveResult, withResults } from './lab/store.js';

const MAIN = fileURLToPath(new URL('./main.js', import.meta.url));

/** Short runs of each: five processes tell more than one that measures five times as long. */
const BENCHES: Readonly<Record<string, readonly string[]>> = {
  transport: ['--rounds', '15', '--pings', '1000'],
  loop: ['--rounds', '9'],
  'hand-off': ['--rounds', '3'],
};

interface Options {
  readonly processes: number;
  readonly baseline: string;
  readonly results: string;
}

/** checkCommand measures and compares. Needs root. */
export function checkCommand(): Command {
  const command = new Command('check')
    .description(
      `compares the loopback figures with the baseline; exit status 1 if one is ${LIMIT * 100} % worse`,
    )
    .option('--processes <n>', 'runs of each benchmark (5)', wholeNumber(1, 100), 5)
    .option('--baseline <folder>', 'what to compare with', BASELINE)
    .action(async ({ processes, baseline, results }: Options) => {
      const fresh = await saveResult(measure(processes), results);
      const base = readResults(baseline).find(({ benchmark }) => benchmark === 'check');
      if (base === undefined) {
        const next = 'keep this run as one with: npm run bench -- baseline check';
        throw new UserError(`${baseline} has no check.json to compare with; ${next}`, EXIT.failure);
      }
      const comparisons = compareResults(base, fresh);
      process.stdout.write(reportText(base, fresh, comparisons));
      process.exitCode = exitCodeOf(comparisons);
    });
  return withResults(command);
}

/** All benchmarks once, then all again, so that a slow minute of the machine hits each a little. */
function measure(processes: number): Parameters<typeof saveResult>[0] {
  const runs = new Map<string, number[][]>();
  const folder = mkdtempSync(join(tmpdir(), 'nodeland-check-'));
  try {
    for (let turn = 1; turn <= processes; turn++) {
      for (const [name, options] of Object.entries(BENCHES)) {
        process.stderr.write(`check: ${name}, ${turn} of ${processes}\n`);
        for (const [figure, rounds] of runOnce(name, options, folder))
          runs.set(figure, [...(runs.get(figure) ?? []), rounds]);
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  return {
    benchmark: 'check',
    settings: { processes },
    figures: [...runs].map(([name, lists]) => ratioFigure(name, lists)),
  };
}

function runOnce(name: string, options: readonly string[], folder: string): [string, number[]][] {
  const child = spawnSync(process.execPath, [MAIN, name, ...options, '--results', folder], {
    encoding: 'utf8',
  });
  if (child.status !== 0)
    throw new UserError(`${name} failed: ${child.stderr}`, (child.status ?? EXIT.failure) as ExitCode);
  const { figures } = readResult(join(folder, `${name}.json`));
  return figures.flatMap((figure) =>
    (figure.runs ?? []).map((rounds): [string, number[]] => [`${name}: ${figure.name}`, rounds]),
  );
}

function reportText(baseline: Result, fresh: Result, comparisons: readonly Comparison[]): string {
  const lines = comparisons.map(comparisonText);
  for (const name of missingFigures(baseline, fresh))
    lines.push(`not compared ${name}: the baseline has it, this run has not`);
  const [then, now] = [baseline.machine.cpu, fresh.machine.cpu];
  if (then !== now)
    lines.push(
      `The baseline is of another machine (${then}, here ${now}): ratios may differ for that alone.`,
    );
  const unsure = comparisons.filter(({ verdict }) => verdict === 'cannot tell').length;
  if (unsure > 0) {
    const advice = 'too noisy; try --processes 10, or a quieter machine';
    lines.push(`cannot tell for ${unsure} of ${comparisons.length}: ${advice}`);
  }
  return `${lines.join('\n')}\n`;
}

/** exitCodeOf fails for what is slower for certain only. */
export function exitCodeOf(comparisons: readonly Comparison[]): ExitCode {
  return comparisons.some(({ verdict }) => verdict === 'slower') ? EXIT.failure : EXIT.ok;
}
