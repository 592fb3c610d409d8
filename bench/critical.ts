/**
 * `npm run bench -- critical`: what slice extension is worth to threads that take one lock in turn, on the deterministic
 * machine: without and with telling of their critical sections, in turn under one `nodeland run`.
 */
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { alignTable } from '../src/observe/report.js';
import type { CriticalFigures, CriticalMeasurement } from './critical-guest.js';
import { measureInGuest, requireSandbox } from './lab/guest.js';
import { makeProgram } from './lab/make.js';
import { wholeNumber } from '../src/cli/whole-number.js';
import { figure, type FigureKind, type Measurement } from './lab/result.js';
import { saveResult, withResults } from './lab/store.js';
import { type Figure, figureOf, figureText } from './transport/statistics.js';

const GUEST = fileURLToPath(new URL('./critical-guest.js', import.meta.url));
const PROGRAM = fileURLToPath(new URL('../../build/bench/critical', import.meta.url));
/** Wall seconds one round may take on a slow host. */
const ROUND_TIMEOUT_S = 300;

const LOCKS = ['spin', 'mutex'] as const;
const FIGURES: readonly FigureKind<keyof CriticalFigures>[] = [
  { key: 'opsPerS', label: 'sections a second', unit: 'sections/s', better: 'higher' },
  { key: 'preempted', label: 'sections in which the holder lost its CPU', unit: 'sections' },
  { key: 'meanWaitUs', label: 'mean wait for the lock, us', unit: 'us' },
  { key: 'longestWaitUs', label: 'longest wait for the lock, us', unit: 'us' },
  { key: 'longestHoldUs', label: 'longest section, us', unit: 'us' },
  { key: 'timerLateUs', label: 'timers late by, mean, us', unit: 'us' },
  { key: 'timerLatestUs', label: 'timers late by, longest, us', unit: 'us' },
];

interface Options {
  readonly rounds: number;
  readonly run: string;
  readonly kernel?: string;
  readonly json?: boolean;
  readonly results: string;
}

/** criticalBenchCommand is the benchmark's command. */
export function criticalBenchCommand(): Command {
  const command = new Command('critical')
    .description('a lock whose holders tell of their critical sections, and one whose holders do not')
    .option('--rounds <n>', 'rounds of each (5)', wholeNumber(1, 100), 5)
    .option('--run <options>', 'more options for nodeland run, as one word', '')
    .option('--kernel <version>', 'the sandbox kernel')
    .option('--json', 'figures as JSON')
    .action(async ({ rounds, run, kernel, json, results }: Options) => {
      requireSandbox(kernel);
      makeProgram('critical');
      const measured = await measureInGuest<CriticalMeasurement>({
        command: [process.execPath, GUEST, String(rounds), PROGRAM, run],
        cpus: 4,
        nodes: 2,
        timeoutSeconds: 300 + ROUND_TIMEOUT_S * rounds,
        kernel,
      });
      const comparisons = LOCKS.map((lock) => compare(measured, lock));
      process.stdout.write(
        json === true
          ? `${JSON.stringify(Object.fromEntries(comparisons.map(({ lock, ...sides }) => [lock, sides])), null, 2)}\n`
          : `${comparisons.map(table).join('\n\n')}\n`,
      );
      await saveResult(measurementOf(measured, { rounds, run, guestKernel: kernel ?? 'newest' }), results);
    });
  return withResults(command);
}

function measurementOf(
  measured: readonly CriticalMeasurement[],
  settings: Measurement['settings'],
): Measurement {
  const figures = LOCKS.flatMap((lock) =>
    [false, true].flatMap((request) => {
      const own = roundsOf(measured, lock, request);
      return FIGURES.map(({ key, label, unit, better }) =>
        figure(
          `${lock}, ${request ? 'told' : 'not told'}: ${label}`,
          unit,
          own.map((round) => round[key]),
          better,
        ),
      );
    }),
  );
  return { benchmark: 'critical', settings, figures };
}

function roundsOf(
  measured: readonly CriticalMeasurement[],
  lock: string,
  request: boolean,
): CriticalFigures[] {
  return measured.filter((one) => one.lock === lock && one.request === request).map(({ figures }) => figures);
}

type Figures = Record<keyof CriticalFigures, Figure>;
interface Comparison {
  readonly lock: string;
  readonly without: Figures;
  readonly with: Figures;
}

function compare(measured: readonly CriticalMeasurement[], lock: string): Comparison {
  const side = (request: boolean): Figures => {
    const own = roundsOf(measured, lock, request);
    const entries = FIGURES.map(({ key }) => [key, figureOf(own.map((round) => round[key]))]);
    return Object.fromEntries(entries) as Figures;
  };
  return { lock, without: side(false), with: side(true) };
}

function table({ lock, without, with: told }: Comparison): string {
  return alignTable([
    [`${lock}, ${without.opsPerS.n} rounds, median (min..max)`, 'not told', 'told', 'told / not'],
    ...FIGURES.map(({ key, label }) => [
      label,
      figureText(without[key]),
      figureText(told[key]),
      (told[key].median / without[key].median).toFixed(2),
    ]),
  ]);
}
