/** The workloads' programs as children with a limit: under a scheduler that starves them they do not end by themselves. */
import { join } from 'node:path';
import { packageRoot } from '../../src/cli/package-info.js';
import { type Latency, parseCyclictest, program } from '../../src/supervisor/load.js';
import { type Operations, parseStressNg, type RequestLatency, secondsOfHackbench } from './outputs.js';

/** The program of bench/requests.c. */
const REQUESTS = join(packageRoot(), 'build/bench/requests');

const LIMIT_S = 120;
/** What a message thread of requests does: this many workers, work of each request, and how often. */
const WORKERS_OF_EACH = 4;
const WORK_US = 200;
const PERIOD_US = 2000;

/** limited runs a program to its end and gives its output. @throws Error when it fails or takes over two minutes */
export function limited(command: string, args: readonly (string | number)[]): Promise<string> {
  return program('timeout', ['-s', 'KILL', `${LIMIT_S}`, command, ...args.map(String)]).catch(
    (cause: unknown) => {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`${command}, with ${LIMIT_S} s to run: ${why}`, { cause });
    },
  );
}

/** hackbench gives the seconds that 200 messages of each of 5 senders of each group take. */
export async function hackbench(groups: number, ...options: readonly string[]): Promise<number> {
  return secondsOfHackbench(await limited('hackbench', ['-g', groups, '-f', 5, '-l', 200, ...options]));
}

/** cyclictest lets bound threads, one for each CPU, wake every 2 ms. */
export async function cyclictest(cpus: number, seconds: number): Promise<Latency> {
  return parseCyclictest(await limited('cyclictest', ['-t', cpus, '-i', 2000, '-q', '-D', seconds]));
}

/** stressNg runs processes of one stressor. */
export async function stressNg(
  stressor: string,
  processes: number,
  seconds: number,
  ...options: readonly string[]
): Promise<Operations> {
  const metrics = ['--metrics-brief', '--stdout'];
  const args = [`--${stressor}`, processes, ...options, '-t', seconds, ...metrics];
  return parseStressNg(await limited('stress-ng', args), stressor);
}

/** hogs are processes that only compute. */
export function hogs(processes: number, seconds: number): Promise<Operations> {
  return stressNg('cpu', processes, seconds, '--cpu-method', 'loop');
}

/** requests runs message threads with four workers each, which ask for 40 % of a CPU for each message thread. */
export async function requests(messageThreads: number, seconds: number): Promise<RequestLatency> {
  const text = await limited(REQUESTS, [messageThreads, WORKERS_OF_EACH, WORK_US, PERIOD_US, seconds]);
  return JSON.parse(text) as RequestLatency;
}
