/**
 * `npm run bench -- sharing`: CPU hogs that begin on one of four nodes of the deterministic machine, under EEVDF and under
 * nodeland: kept there, with stealing only, and with the balancer as well, round by round in turn. Throughput is CPU time: all of
 * that machine's CPUs together run so many instructions a second, however many of them idle.
 */
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { alignTable } from '../src/observe/report.js';
import type { SharingFigures } from './sharing-guest.js';
import { measureInGuest, requireSandbox } from './lab/guest.js';
import { wholeNumber } from '../src/cli/whole-number.js';
import { figure, type Measurement } from './lab/result.js';
import { saveResult, withResults } from './lab/store.js';
import { figureOf, figureText } from './transport/statistics.js';

const GUEST = fileURLToPath(new URL('./sharing-guest.js', import.meta.url));
const NODES = 4;
/** Wall seconds one round may take on a slow host. */
const ROUND_TIMEOUT_S = 900;

/** sharingBenchCommand is the benchmark's command. */
export function sharingBenchCommand(): Command {
  const command = new Command('sharing')
    .description(
      'EEVDF and nodeland with less and more sharing, under a load that begins on one of four nodes',
    )
    .option('--rounds <n>', 'rounds of each (3)', wholeNumber(1, 100), 3)
    .option('--cpus <n>', 'CPUs of the machine, in four nodes (4)', wholeNumber(1, 100), NODES)
    .action(async ({ rounds, cpus, results }: { rounds: number; cpus: number; results: string }) => {
      requireSandbox();
      const rows = await measureInGuest<Round>({
        command: [process.execPath, GUEST, String(rounds)],
        cpus,
        nodes: NODES,
        timeoutSeconds: 120 + ROUND_TIMEOUT_S * rounds,
      });
      const measured = byScheduler(rows);
      process.stdout.write(`${table(measured)}\n`);
      await saveResult(measurementOf(measured, { rounds, cpus, nodes: NODES }), results);
    });
  return withResults(command);
}

/** Figures are what each round found under each scheduler. */
type Figures = ReadonlyMap<string, readonly SharingFigures[]>;

interface Round {
  readonly scheduler: string;
  readonly figures: SharingFigures;
}

function byScheduler(rounds: readonly Round[]): Figures {
  const measured = new Map<string, SharingFigures[]>();
  for (const { scheduler, figures } of rounds) {
    measured.set(scheduler, [...(measured.get(scheduler) ?? []), figures]);
  }
  return measured;
}

function measurementOf(measured: Figures, settings: Measurement['settings']): Measurement {
  const figures = [...measured].flatMap(([scheduler, rounds]) => [
    figure(
      `throughput: ${scheduler}`,
      "share of all CPUs' time",
      rounds.map(({ usedShare }) => usedShare),
      'higher',
    ),
    figure(
      `least task: ${scheduler}`,
      'share of the mean',
      rounds.map(({ leastShare }) => leastShare),
      'higher',
    ),
  ]);
  return { benchmark: 'sharing', settings, figures };
}

function table(measured: Figures): string {
  const rows = [...measured].map(([name, own]) => {
    const text = (values: readonly number[]): string => figureText(figureOf(values));
    const used = own.map(({ usedShare }) => usedShare);
    return [name, text(used), text(own.map(({ leastShare }) => leastShare))];
  });
  return alignTable([['median (min..max)', 'CPU time used', 'least task / mean'], ...rows]);
}
