/** Inside the sandbox: measures without and with nodeland, in turn, and prints one JSON line per measurement. */
import { parseCyclictest, program, underNodeland } from '../src/supervisor/load.js';

const IDLE_SECONDS = 2;
const LOAD_SECONDS = 4;
const LOADED_SECONDS = 5;

/** What is measured in one round under one scheduler. */
export interface SandboxFigures {
  readonly hackbenchS: number;
  readonly idleAverageUs: number;
  readonly idleMaxUs: number;
  readonly bogoOps: number;
  readonly loadedAverageUs: number;
  readonly loadedMaxUs: number;
}

const hogs = (seconds: number): Promise<string> =>
  program('stress-ng', [
    '--cpu',
    '8',
    '--cpu-method',
    'loop',
    '-t',
    `${seconds}`,
    '--metrics-brief',
    '--stdout',
  ]);
const cyclictest = (seconds: number): Promise<string> =>
  program('cyclictest', ['-t', '4', '-i', '2000', '-q', '-D', `${seconds}`]);

async function measure(): Promise<SandboxFigures> {
  const messages = await program('hackbench', ['-g', '2', '-f', '5', '-l', '200']);
  const idle = parseCyclictest(await cyclictest(IDLE_SECONDS));
  const throughput = await hogs(LOAD_SECONDS);
  const load = hogs(LOADED_SECONDS);
  const loaded = parseCyclictest(await cyclictest(LOADED_SECONDS - 1));
  await load;
  return {
    hackbenchS: Number(/Time:\s*([\d.]+)/.exec(messages)?.[1]),
    idleAverageUs: idle.averageUs,
    idleMaxUs: idle.maxUs,
    bogoOps: Number(/ cpu\s+(\d+)/.exec(throughput)?.[1]),
    loadedAverageUs: loaded.averageUs,
    loadedMaxUs: loaded.maxUs,
  };
}

const [rounds = '1', options = ''] = process.argv.slice(2);
for (let round = 0; round < Number(rounds); round++) {
  process.stdout.write(`${JSON.stringify({ scheduler: 'EEVDF', figures: await measure() })}\n`);
  const figures = await underNodeland(options.split(' ').filter(Boolean), 'ignore', measure);
  process.stdout.write(`${JSON.stringify({ scheduler: 'nodeland', figures })}\n`);
  process.stderr.write(`round ${round + 1} of ${rounds} done\n`);
}
