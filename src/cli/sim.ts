import { writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { ASK_MODES } from '../config/schema.js';
import { BUILTIN_POLICY_NAMES } from '../policy/builtin-names.js';
import {
  BATCH_NS,
  CPUS,
  DECISION_NS,
  isNumberOption,
  NODES,
  type NumberOption,
  readRequest,
  type SimInput,
  type SimRequest,
} from '../sim/request.js';
import type { Curves } from '../observe/plot.js';
import type * as Plots from '../sim/plots.js';
import { DEFAULT_WORKLOAD, WORKLOAD_NAMES } from '../sim/workloads/named.js';
import { EXIT, UserError } from './errors.js';
import { collect } from './policy-options.js';
import { configInput } from './run.js';
import { type Axis, parseAxis } from './sim/axes.js';
import { writing } from './sim/write.js';

/** simCommand schedules a machine that is not there. */
export function simCommand(): Command {
  return new Command('sim')
    .description(
      'simulate a machine: the same workers and policies on a simulated kernel, repeatable by seed',
    )
    .option('--cpus <n>', `CPUs of the machine, 1 to 1024 (${CPUS})`)
    .option('--nodes <n>', `its NUMA nodes, 1 to 64 (${NODES})`)
    .option('--workload <name>', `${WORKLOAD_NAMES.join(', ')} or a YAML file (${DEFAULT_WORKLOAD})`)
    .option('--replay <file>', 'what `nodeland record` wrote instead, on the machine that it was written on')
    .option('--warm-up-ms <n>', 'simulated time before that, of which nothing is counted (0)')
    .option('--duration-ms <n>', 'simulated time (1000, or what the workload says; a recording to its end)')
    .option('--switches <n>', 'end after so many task switches')
    .option('--seed <n>', 'of all that is random: the same seed gives the same result (1)')
    .option('--policy <name>', `${BUILTIN_POLICY_NAMES.join(', ')} or the path of a policy module (vtime)`)
    .option('--policy-option <key=value>', 'an option of that policy; may be given again', collect)
    .option(
      '--domains <spec>',
      'one worker for each: node, llc, core, one, or CPU lists "0-3,8-11;4-7" (node)',
    )
    .option('--config <file>', 'settings of `nodeland run` from a YAML file; options override it')
    .option('--ask <mode>', `${ASK_MODES.join(' or ')}: standing orders for wake-ups, or none (auto)`)
    .option('--no-fast-path', 'ask even when a CPU is idle')
    .option('--slice-us <n>', 'time slice in microseconds, 100 to 100000 (20000)')
    .option('--stall-ms <n>', 'schedule a domain in the kernel when its worker is this late, 5 to 1000 (20)')
    .option('--slots <n>', 'tasks there may be at one time, 256 to 65536 (16384)')
    .option('--steal-us <n>', 'an idle CPU takes tasks of other domains that waited longer (0)')
    .option('--decision-ns <n>', `how long a worker takes for each task, in nanoseconds (${DECISION_NS})`)
    .option('--batch-ns <n>', `and from being called to its first (${BATCH_NS})`)
    .option(
      '--fault <what>',
      'pause, slow or crash of a worker: pause,domain=1,at-ms=100,for-ms=50; may be given again',
      collect,
    )
    .option(
      '--sweep <key=values>',
      'simulate for each of the values: cpus=16,64,256; may be given again',
      collect,
    )
    .option('--plot <folder>', 'diagrams as SVG, into that folder')
    .option('--json [file]', 'one JSON object, or a list for a sweep: printed, or written to a file')
    .action(async (options: SimOptions, command: Command) => {
      const input = simInput(options, command);
      if (options.sweep === undefined) await simulateOne(readRequest(input), options);
      else await simulateAll(input, options.sweep.map(parseAxis), options);
    });
}

interface SimOptions {
  readonly workload?: string;
  readonly replay?: string;
  readonly fault?: readonly string[];
  readonly sweep?: readonly string[];
  readonly json?: true | string;
  readonly plot?: string;
  readonly [name: string]: unknown;
}

function simInput(options: SimOptions, command: Command): SimInput {
  const numbers: Partial<Record<NumberOption, string>> = {};
  for (const option of command.options) {
    const name = option.long?.slice(2) ?? '';
    const value = options[option.attributeName()];
    if (isNumberOption(name) && typeof value === 'string') numbers[name] = value;
  }
  const { workload, replay, fault: faults } = options;
  return { config: configInput(command), numbers, workload, replay, faults };
}

async function simulateOne(request: SimRequest, { json, plot }: SimOptions): Promise<void> {
  const { simulate } = await import('../sim/simulate.js');
  const writePlots = await plotsInto(plot);
  const simulated = await simulate(request);
  writeJson(json, simulated.result);
  await writePlots?.(({ simCurves }) => simCurves(simulated.result));
  if (json === true) return;
  const { resultText } = await import('../sim/report.js');
  process.stdout.write(resultText(simulated));
}

/** Everything is checked before anything is simulated. */
async function simulateAll(
  input: SimInput,
  axes: readonly Axis[],
  { json, plot }: SimOptions,
): Promise<void> {
  const { checkRequest } = await import('../sim/prepare.js');
  const { sweep, sweepPoints } = await import('../sim/sweep.js');
  const points = sweepPoints(axes);
  const over = axes.findIndex(isNumeric);
  if (plot !== undefined && over < 0) {
    const numbers = 'one --sweep whose values are numbers, such as cpus=16,64,256';
    throw new UserError(`--plot: expected ${numbers}, to be the horizontal axis`, EXIT.usage);
  }
  const requests: SimRequest[] = [];
  for (const point of points) {
    const request = readRequest(
      axes.reduce((before, axis, index) => axis.apply(before, point[index]), input),
    );
    await checkRequest(request);
    requests.push(request);
  }
  const writePlots = await plotsInto(plot);
  let done = 0;
  const results = await sweep(requests, (index) => {
    const values = axes.map(({ name }, axis) => `${name}=${points[index][axis]}`).join(' ');
    process.stderr.write(`${++done} of ${points.length}: ${values}\n`);
  });
  writeJson(json, results);
  await writePlots?.(({ sweepCurves }) => sweepCurves(axes, over, points, results));
  if (json === true) return;
  const { alignTable } = await import('../observe/report.js');
  const { SWEEP_HEADER, sweepRow } = await import('../sim/report.js');
  const header = [...axes.map(({ name }) => name), ...SWEEP_HEADER];
  const rows = results.map((result, index) => [...points[index], ...sweepRow(result)]);
  process.stdout.write(`${alignTable([header, ...rows])}\n`);
}

const isNumeric = ({ values }: Axis): boolean => values.every((value) => Number.isFinite(Number(value)));

type DrawPlots = (curvesOf: (plots: typeof Plots) => readonly Curves[]) => Promise<void>;

async function plotsInto(folder: string | undefined): Promise<DrawPlots | undefined> {
  if (folder === undefined) return undefined;
  const { openPlotFolder } = await import('./sim/plot-folder.js');
  const write = await openPlotFolder(folder);
  return async (curvesOf) => write(curvesOf(await import('../sim/plots.js')));
}

function writeJson(json: true | string | undefined, value: unknown): void {
  if (json === undefined) return;
  const text = `${JSON.stringify(value, null, 2)}\n`;
  if (json === true) {
    process.stdout.write(text);
    return;
  }
  writing('--json', () => {
    writeFileSync(json, text);
  });
}
