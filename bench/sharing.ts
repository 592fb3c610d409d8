/**
 * `npm run bench -- sharing`: CPU hogs that begin on one of four nodes of the deterministic machine, under EEVDF and under
 * nodeland without sharing, with stealing only, and with the balancer as well, round by round in turn.
 */
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { UserError } from '../src/cli/errors.js';
import { alignTable } from '../src/observe/report.js';
import { sandboxAvailable } from '../src/sandbox/available.js';
import { runInSandbox } from '../src/sandbox/run.js';
import type { SharingFigures } from './sharing-guest.js';
import { figureOf } from './transport/statistics.js';

const GUEST = fileURLToPath(new URL('./sharing-guest.js', import.meta.url));
const NODES = 4;
/** Wall seconds one round may take on a slow host. */
const ROUND_TIMEOUT_S = 900;

/** sharingBenchCommand is the benchmark's command. */
export function sharingBenchCommand(): Command {
  return new Command('sharing')
    .description(
      'EEVDF and nodeland with less and more sharing, under a load that begins on one of four nodes',
    )
    .option('--rounds <n>', 'rounds of each (3)', wholeNumber, 3)
    .option('--cpus <n>', 'CPUs of the machine, in four nodes (4)', wholeNumber, NODES)
    .action(async ({ rounds, cpus }: { rounds: number; cpus: number }) => {
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
      process.stdout.write(`${table(result.stdout)}\n`);
    });
}

function table(stdout: string): string {
  const lines = stdout.split('\n').filter((line) => line.startsWith('{'));
  const measured = lines.map((line) => JSON.parse(line) as { scheduler: string; figures: SharingFigures });
  const rows = [...new Set(measured.map(({ scheduler }) => scheduler))].map((name) => {
    const own = measured.filter(({ scheduler }) => scheduler === name).map(({ figures }) => figures);
    const text = (values: readonly number[]): string => {
      const { median, min, max } = figureOf(values);
      return `${median} (${min}..${max})`;
    };
    const ops = own.map(({ bogoOps }) => bogoOps);
    return [name, text(ops), text(own.map(({ leastShare }) => leastShare))];
  });
  return alignTable([['median (min..max)', 'bogo-ops', 'least task / mean'], ...rows]);
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 100)
    throw new InvalidArgumentError('expected 1 to 100');
  return value;
}
