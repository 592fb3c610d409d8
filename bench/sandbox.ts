/**
 * `npm run bench -- sandbox`: the kernel's own scheduler and nodeland on the same deterministic machine (4 CPUs,
 * 2 nodes), round by round in turn: hackbench, cyclictest on the idle machine, stress-ng, cyclictest beside stress-ng.
 */
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { alignTable } from '../src/observe/report.js';
import type { SandboxFigures } from './sandbox-guest.js';
import { measureInGuest, requireSandbox } from './lab/guest.js';
import { wholeNumber } from './lab/options.js';
import { figure, type FigureKind, type Measurement, ratioFigure } from './lab/result.js';
import { saveResult, withResults } from './lab/store.js';
import { type Figure, figureOf, figureText } from './transport/statistics.js';

const GUEST = fileURLToPath(new URL('./sandbox-guest.js', import.meta.url));
/** Wall seconds one round may take on a slow host. */
const ROUND_TIMEOUT_S = 400;

const FIGURES: readonly FigureKind<keyof SandboxFigures>[] = [
  { key: 'hackbenchS', label: 'hackbench -g 2 -f 5 -l 200, s', unit: 's' },
  { key: 'idleAverageUs', label: 'cyclictest idle, average us', unit: 'us' },
  { key: 'idleMaxUs', label: 'cyclictest idle, maximum us', unit: 'us' },
  { key: 'bogoOps', label: 'stress-ng --cpu 8, bogo-ops', unit: 'bogo-ops', better: 'higher' },
  { key: 'loadedAverageUs', label: 'cyclictest beside it, average us', unit: 'us' },
  { key: 'loadedMaxUs', label: 'cyclictest beside it, maximum us', unit: 'us' },
];

/** sandboxCommand is the benchmark's command. */
export function sandboxBenchCommand(): Command {
  const command = new Command('sandbox')
    .description('EEVDF and nodeland in turn on the deterministic sandbox machine')
    .option('--rounds <n>', 'rounds of each (3)', wholeNumber(1, 100), 3)
    .option('--run <options>', 'more options for nodeland run, as one word', '')
    .option('--kernel <version>', 'the sandbox kernel')
    .option('--json', 'figures as JSON')
    .action(async (options: Options) => {
      requireSandbox(options.kernel);
      const rounds = await measureInGuest<Round>({
        command: [process.execPath, GUEST, String(options.rounds), options.run],
        cpus: 4,
        nodes: 2,
        memoryGiB: 2,
        timeoutSeconds: 120 + ROUND_TIMEOUT_S * options.rounds,
        kernel: options.kernel,
      });
      process.stdout.write(
        options.json === true
          ? `${JSON.stringify(Object.fromEntries(FIGURES.map(({ key }) => [key, compare(rounds, key)])), null, 2)}\n`
          : `${table(rounds)}\n`,
      );
      await saveResult(measurementOf(rounds, options), options.results);
    });
  return withResults(command);
}

interface Options {
  readonly rounds: number;
  readonly run: string;
  readonly kernel?: string;
  readonly json?: boolean;
  readonly results: string;
}

/** The machine's own kernel is the host's; the guest's is among the settings. */
function measurementOf(measured: readonly Round[], { rounds, run, kernel }: Options): Measurement {
  const valuesOf = (name: string, key: keyof SandboxFigures): number[] =>
    measured.filter(({ scheduler }) => scheduler === name).map(({ figures }) => figures[key]);
  return {
    benchmark: 'sandbox',
    settings: { rounds, run, guestKernel: kernel ?? 'newest', cpus: 4, nodes: 2 },
    figures: FIGURES.flatMap(({ key, label, unit, better }) => {
      const [EEVDF, own] = [valuesOf('EEVDF', key), valuesOf('nodeland', key)];
      const ratios = EEVDF.map((value, round) =>
        better === 'higher' ? own[round] / value : value / own[round],
      );
      return [
        figure(`${label}: EEVDF`, unit, EEVDF, better),
        figure(`${label}: nodeland`, unit, own, better),
        ratioFigure(`${label}: nodeland's advantage`, [ratios]),
      ];
    }),
  };
}

interface Round {
  readonly scheduler: string;
  readonly figures: SandboxFigures;
}

const SCHEDULERS = ['EEVDF', 'nodeland'] as const;

type Comparison = Record<(typeof SCHEDULERS)[number], Figure>;

function compare(rounds: readonly Round[], key: keyof SandboxFigures): Comparison {
  const under = (name: string): Figure =>
    figureOf(rounds.filter(({ scheduler }) => scheduler === name).map(({ figures }) => figures[key]));
  return { EEVDF: under('EEVDF'), nodeland: under('nodeland') };
}

function table(rounds: readonly Round[]): string {
  const rows = FIGURES.map(({ key, label }) => {
    const { EEVDF, nodeland } = compare(rounds, key);
    return [label, figureText(EEVDF), figureText(nodeland), (nodeland.median / EEVDF.median).toFixed(2)];
  });
  return alignTable([
    [`${rounds.length / 2} rounds, median (min..max)`, ...SCHEDULERS, 'nodeland / EEVDF'],
    ...rows,
  ]);
}
