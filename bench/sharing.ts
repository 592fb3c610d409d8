/**
 * `npm run bench -- sharing`: CPU hogs that begin on one of four nodes of the deterministic machine, under EEVDF and under
 * nodeland without sharing, with stealing only, and with the balancer as well, round by round in turn.
 */
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { UserError } from '../src/cli/errors.js';
import { alignTable } from '../src/observe/report.js';
import { sandboxAvailable } from '../src/sandbox/available.js';
import { runInSandbox } from '../src/sandbox/run.js';
import type { SharingFigures } from './sharing-guest.js';
import { wholeNumber } from './lab/options.js';
import { figure, type Measurement } from './lab/result.js';
import { saveResult, withResults } from './lab/store.js';
import { figureOf } from './transport/statistics.js';

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
      const available = sandboxAvailable();
      if (!available.ok) throw new UserError(available.reason);
      const result = await runInSandbox({
        command: [process.execPath, GUEST, String(rounds)],
        cpus,
        nodes: NODES,
        accel: 'deterministic',
        timeoutSeconds: 120 + ROUND_TIMEOUT_S * rounds,
        stderr: process.stderr,
      });
      if (result.exitCode !== 0)
        throw new UserError(`the guest ended with ${result.exitCode}:\n${result.output.slice(-2000)}`);
      const measured = parseLines(result.stdout);
      process.stdout.write(`${table(measured)}\n`);
      await saveResult(measurementOf(measured, { rounds, cpus, nodes: NODES }), results);
    });
  return withResults(command);
}

/** Figures are what each round found under each scheduler. */
type Figures = ReadonlyMap<string, readonly SharingFigures[]>;

function parseLines(stdout: string): Figures {
  const lines = stdout.split('\n').filter((line) => line.startsWith('{'));
  const measured = new Map<string, SharingFigures[]>();
  for (const line of lines) {
    const { scheduler, figures } = JSON.parse(line) as { scheduler: string; figures: SharingFigures };
    measured.set(scheduler, [...(measured.get(scheduler) ?? []), figures]);
  }
  return measured;
}

function measurementOf(measured: Figures, settings: Measurement['settings']): Measurement {
  const figures = [...measured].flatMap(([scheduler, rounds]) => [
    figure(
      `throughput: ${scheduler}`,
      'bogo-ops',
      rounds.map(({ bogoOps }) => bogoOps),
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
    const text = (values: readonly number[]): string => {
      const { median, min, max } = figureOf(values);
      return `${median} (${min}..${max})`;
    };
    const ops = own.map(({ bogoOps }) => bogoOps);
    return [name, text(ops), text(own.map(({ leastShare }) => leastShare))];
  });
  return alignTable([['median (min..max)', 'bogo-ops', 'least task / mean'], ...rows]);
}
