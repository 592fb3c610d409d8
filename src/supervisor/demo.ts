/**
 * nodeland demo: a mixed load under the kernel's own scheduler, then under nodeland with a live table, and both
 * side by side. Meant for the sandbox (`npm start`); it runs on any machine that has sched_ext.
 */
import { EXIT } from '../cli/errors.js';
import { alignTable, durationText } from '../observe/report.js';
import { type Latency, parseCyclictest, program, underNodeland } from './load.js';

const EEVDF_SECONDS = 8;
const NODELAND_SECONDS = 20;
const STATS_SECONDS = 2;

/** runDemo @returns the exit code. @throws Error when a load or the scheduler fails, with what it said */
export async function runDemo(): Promise<number> {
  say(
    `A mixed load (hackbench, stress-ng, cyclictest) under the kernel's own scheduler, ${EEVDF_SECONDS} s ...`,
  );
  const eevdf = await mixedLoad(EEVDF_SECONDS);
  say(`\nThe same load scheduled by nodeland, ${NODELAND_SECONDS} s:\n`);
  const options = ['--domains', 'node', '--stats', String(STATS_SECONDS)];
  const ours = await underNodeland(options, 'inherit', () => mixedLoad(NODELAND_SECONDS));
  say(`\n${latencyTable(eevdf, ours)}`);
  return EXIT.ok;
}

/**
 * mixedLoad runs twice as many CPU hogs as CPUs and rounds of hackbench for `seconds`, with cyclictest beside them.
 *
 * @throws Error when one of the programs is missing or fails
 */
async function mixedLoad(seconds: number): Promise<Latency> {
  const until = performance.now() + seconds * 1000;
  const hogs = program('stress-ng', [
    '--cpu',
    '0',
    '--cpu-method',
    'loop',
    '--timeout',
    `${seconds}s`,
    '--quiet',
  ]);
  const latency = program('cyclictest', ['-t', '4', '-i', '2000', '-q', '-D', `${seconds}`]);
  const messages = (async () => {
    while (performance.now() < until - 2000) await program('hackbench', ['-g', '1', '-f', '5', '-l', '100']);
  })();
  const [text] = await Promise.all([latency, hogs, messages]);
  return parseCyclictest(text);
}

function latencyTable(eevdf: Latency, ours: Latency): string {
  const row = (name: string, { averageUs, maxUs }: Latency): string[] => [
    name,
    durationText(averageUs * 1000),
    durationText(maxUs * 1000),
  ];
  return `wake-up latency beside the load (cyclictest, 4 threads)\n${alignTable([
    ['', 'average', 'maximum'],
    row('EEVDF', eevdf),
    row('nodeland', ours),
  ])}`;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
