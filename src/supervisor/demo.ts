/**
 * nodeland demo: a mixed load under the kernel's own scheduler, then under nodeland with a live table, and both
 * side by side. Meant for the sandbox (`npm start`); it runs on any machine that has sched_ext.
 */
import { spawn } from 'node:child_process';
import { loadConfig } from '../config/config.js';
import { alignTable, durationText, summaryTable } from '../observe/report.js';
import { runScheduler } from './run.js';

const EEVDF_SECONDS = 8;
const NODELAND_SECONDS = 20;
const STATS_SECONDS = 2;

/** Latency is what cyclictest says: from timer to running, over all its threads. */
interface Latency {
  readonly averageUs: number;
  readonly maxUs: number;
}

/** runDemo @returns the exit code: that of the scheduler's run, or 1 when the load could not be run */
export async function runDemo(): Promise<number> {
  say(
    `A mixed load (hackbench, stress-ng, cyclictest) under the kernel's own scheduler, ${EEVDF_SECONDS} s ...`,
  );
  const eevdf = await mixedLoad(EEVDF_SECONDS);
  say(`\nThe same load scheduled by nodeland, ${NODELAND_SECONDS} s:\n`);
  let ours: Latency | undefined;
  let summary = '';
  const config = loadConfig({
    options: {
      domains: { option: '--domains', value: 'node' },
      statsS: { option: '--stats', value: STATS_SECONDS },
    },
  });
  const exitCode = await runScheduler(config, {
    attached: async () => {
      ours = await mixedLoad(NODELAND_SECONDS);
    },
    summary: (plan, report) => {
      summary = summaryTable(plan, report);
    },
  });
  say(`\n${summary}`);
  if (ours) say(latencyTable(eevdf, ours));
  return exitCode;
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

/** parseCyclictest reads the last line of each of cyclictest's threads (`-q`). */
export function parseCyclictest(text: string): Latency {
  const threads = [...text.matchAll(/Avg:\s*(\d+)\s+Max:\s*(\d+)/g)];
  if (threads.length === 0) throw new Error(`cyclictest printed no latencies: ${text.slice(0, 200)}`);
  return {
    averageUs: threads.reduce((sum, [, average]) => sum + Number(average), 0) / threads.length,
    maxUs: Math.max(...threads.map(([, , max]) => Number(max))),
  };
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

function program(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    child.on('error', (cause) => {
      reject(new Error(`${command} cannot be run (${cause.message}); npm start installs it`, { cause }));
    });
    child.on('close', (code, signal) => {
      if (code === 0) resolve(out);
      else reject(new Error(`${command} failed (${signal ?? code}): ${err.slice(-300)}`));
    });
  });
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
