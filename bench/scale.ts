/**
 * `npm run bench -- scale`: (a) decisions per second with 1 to N workers on the cores there are, and what each step costs
 * on one core and across two; (b) with those costs, a simulation of machines of up to 1,024 CPUs under one worker in all,
 * one per node, and one per last-level cache.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { EXIT, UserError } from '../src/cli/errors.js';
import { native } from '../src/kernel/native.js';
import { alignTable } from '../src/observe/report.js';
import { wholeNumber } from '../src/cli/whole-number.js';
import { BASELINE, readResult, saveResult, withResults } from './lab/store.js';
import type { Measurement, Result } from './lab/result.js';
import { costsOf, measureCores } from './scale/measured.js';
import { EPYC_7R13, type LineCosts } from './scale/sim/machine.js';
import type { ServiceCosts } from './scale/sim/costs.js';
import { study } from './scale/study.js';
import { checkObject } from './transport/loopback.js';

interface Options {
  readonly part: 'cores' | 'model' | 'both';
  readonly rounds: number;
  readonly durationMs: number;
  readonly from?: string;
  readonly lines: LineCosts;
  readonly costs: Partial<ServiceCosts>;
  readonly handOffShare: number;
  readonly tasks: number;
  readonly seeds: number;
  readonly json?: true;
  readonly results: string;
}

/** scaleCommand runs both parts, or one. Part (a) needs root and two CPUs. */
export function scaleCommand(): Command {
  const command = new Command('scale')
    .description('decisions per second on these cores, and in a simulation of up to 1,024 CPUs')
    .option('--part <part>', 'cores, model, or both', partName, 'both')
    .option(
      '--rounds <n>',
      'rounds of every arrangement on the cores, in turn',
      wholeNumber(1, 10_000_000),
      21,
    )
    .option('--duration-ms <ms>', 'how long each runs in a round', wholeNumber(1, 10_000_000), 100)
    .option('--from <file>', 'take costs from this scale-cores.json (the newest, else the baseline)')
    .option('--costs <list>', 'change costs, such as decideNs=40,batchNs=500', costList, {})
    .option(
      '--lines <list>',
      'ns a cache line takes within an LLC, in a socket, to the next, per further socket',
      lineList,
      EPYC_7R13,
    )
    .option('--hand-off-share <share>', 'share of tasks handed to another shard', share, 0.02)
    .option('--tasks <n>', 'tasks simulated at each point', wholeNumber(1, 10_000_000), 60_000)
    .option('--seeds <n>', 'seeds of the simulation', wholeNumber(1, 10_000_000), 3)
    .option('--json', 'print the results as JSON')
    .action(async (options: Options) => {
      const results: Result[] = [];
      if (options.part !== 'model') results.push(await saveResult(await cores(options), options.results));
      if (options.part !== 'cores') results.push(await saveResult(model(options), options.results));
      process.stdout.write(options.json ? `${JSON.stringify(results)}\n` : results.map(textOf).join('\n'));
    });
  return withResults(command);
}

const say = (line: string): void => void process.stderr.write(`scale: ${line}\n`);

function cores({ rounds, durationMs }: Options): Promise<Measurement> {
  if (process.getuid?.() !== 0) {
    throw new UserError('loading BPF programs needs root: sudo npm run bench -- scale', EXIT.privilege);
  }
  checkObject();
  const addon = native();
  const cpus = addon.threadAffinity();
  if (cpus.length < 2)
    throw new UserError('scale needs two CPUs; --part model simulates with one', EXIT.failure);
  return measureCores(addon, { cpus, rounds, durationMs, say });
}

function model({ from, results, costs, lines, handOffShare, tasks, seeds }: Options): Measurement {
  const files =
    from === undefined ? [results, BASELINE].map((folder) => join(folder, 'scale-cores.json')) : [from];
  const file = files.find((name) => existsSync(name));
  if (file === undefined)
    throw new UserError(`no costs to simulate with: ${files.join(' and ')} are missing`);
  const world = { costs: { ...costsOf(readResult(file)), ...costs }, lines, handOffShare, tasks };
  return study({ world, seeds: Array.from({ length: seeds }, (_, index) => index + 1), say });
}

function textOf({ benchmark, figures }: Result): string {
  const text = (value: number): string => Number(value.toPrecision(3)).toLocaleString('en');
  const rows = figures.map(({ name, unit, median, min, max, n }) => [
    `${name}, ${unit}`,
    ...[median, min, max].map(text),
    n,
  ]);
  return `${alignTable([[benchmark, 'median', 'min', 'max', 'n'], ...rows])}\n`;
}

function share(text: string): number {
  const value = Number(text);
  if (value >= 0 && value < 1) return value;
  throw new InvalidArgumentError('expected a share from 0 to below 1');
}

function partName(text: string): Options['part'] {
  if (text === 'cores' || text === 'model' || text === 'both') return text;
  throw new InvalidArgumentError('expected cores, model or both');
}

function lineList(text: string): LineCosts {
  const numbers = text.split(',').map(Number);
  if (numbers.length !== 4 || numbers.some((ns) => !(ns >= 0)))
    throw new InvalidArgumentError('expected four numbers of nanoseconds, such as 23,107,197,90');
  const [sameLlc, sameSocket, nextSocket, perFurtherSocket] = numbers;
  return { sameLlc, sameSocket, nextSocket, perFurtherSocket };
}

const COST_NAMES: readonly (keyof ServiceCosts)[] = [
  'pushNs',
  'pushLines',
  'batchNs',
  'decideNs',
  'decideLines',
  'drainNs',
  'drainLines',
  'handOffNs',
];

function costList(text: string): Partial<ServiceCosts> {
  const pairs = text.split(',').map((pair): [keyof ServiceCosts, number] => {
    const [name, value] = pair.split('=');
    const known = COST_NAMES.find((one) => one === name);
    if (known === undefined || !(Number(value) >= 0))
      throw new InvalidArgumentError(`expected NAME=NUMBER with one of ${COST_NAMES.join(', ')}`);
    return [known, Number(value)];
  });
  return Object.fromEntries(pairs);
}
