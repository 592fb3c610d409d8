/** `bench rest`: memory and CPU time of nodeland on a machine with nothing to do, in the sandbox. */
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { alignTable } from '../src/observe/report.js';
import type { RestMeasurement } from './rest-guest.js';
import { measureInGuest, requireSandbox } from './lab/guest.js';
import { wholeNumber } from '../src/cli/whole-number.js';
import { figure, type ResultFigure } from './lab/result.js';
import { saveResult, withResults } from './lab/store.js';
import { figureText } from './transport/statistics.js';

const GUEST = fileURLToPath(new URL('./rest-guest.js', import.meta.url));
const CPUS = 8;
/** Half as many as CPUs, and as many. */
const [FEW, MANY] = [CPUS / 2, CPUS];
/** Wall seconds one round may take on a slow host. */
const ROUND_TIMEOUT_S = 900;

/** restBenchCommand is `bench rest`. */
export function restBenchCommand(): Command {
  return withResults(
    new Command('rest')
      .description(`memory and CPU time with ${FEW} and ${MANY} domains of an idle machine in the sandbox`)
      .option('--rounds <n>', 'rounds of each (3)', wholeNumber(1, 100), 3)
      .action(async ({ rounds, results }: { rounds: number; results: string }) => {
        requireSandbox();
        const measured = await measureInGuest<RestMeasurement>({
          command: [process.execPath, GUEST, String(rounds), String(FEW), String(MANY)],
          cpus: CPUS,
          nodes: 2,
          timeoutSeconds: 120 + ROUND_TIMEOUT_S * rounds,
        });
        const figures = figuresOf(measured);
        const short = (value: number): number => Number(value.toPrecision(3));
        const rows = figures.map(({ name, unit, n, median, min, max }) => [
          `${name}, ${unit}`,
          figureText({ n, median: short(median), min: short(min), max: short(max) }),
        ]);
        process.stdout.write(`${alignTable([[`${rounds} rounds`, 'median (min..max)'], ...rows])}\n`);
        await saveResult({ benchmark: 'rest', settings: { rounds, cpus: CPUS, nodes: 2 }, figures }, results);
      }),
  );
}

function figuresOf(measured: readonly RestMeasurement[]): ResultFigure[] {
  const of = (domains: number, key: 'residentMiB' | 'cpuShare'): number[] =>
    measured.filter((one) => one.domains === domains).map((one) => one[key]);
  const percent = (domains: number): number[] => of(domains, 'cpuShare').map((share) => 100 * share);
  const [few, many] = [of(FEW, 'residentMiB'), of(MANY, 'residentMiB')];
  return [
    figure(`resident, ${FEW} domains`, 'MiB', few),
    figure(`resident, ${MANY} domains`, 'MiB', many),
    figure(
      'resident, each further domain',
      'MiB',
      many.map((miB, round) => (miB - few[round]) / (MANY - FEW)),
    ),
    figure(`CPU time, ${FEW} domains`, '% of one CPU', percent(FEW)),
    figure(`CPU time, ${MANY} domains`, '% of one CPU', percent(MANY)),
  ];
}
