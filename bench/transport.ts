/**
 * What it costs to carry a task to user space and a decision back, through nodeland's rings and through libbpf's, in one
 * alternating run on one CPU; and how long a round trip to another core takes.
 */
import { Command } from 'commander';
import { EXIT, UserError } from '../src/cli/errors.js';
import { native } from '../src/kernel/native.js';
import { readTopology } from '../src/topology/read.js';
import { cpu as asCpu } from '../src/topology/ids.js';
import { wholeNumber } from '../src/cli/whole-number.js';
import { saveResult, withResults } from './lab/store.js';
import { buildPair, type LibbpfJob, LibbpfProcess } from './transport/libbpf.js';
import { checkObject } from './transport/loopback.js';
import { NodelandThread } from './transport/nodeland.js';
import { reportOf, tableOf } from './transport/report.js';
import { transportMeasurement } from './transport/result.js';
import { measureRoundTrip, type RoundTrip } from './transport/round-trip.js';
import { type Cost, costOf, type RoundSize, type Side } from './transport/round.js';

/** Below the ring's size less its margin for pushes in flight. */
const MAX_TASKS = 2048;
/** Enough for the caches to be warm in most of a round: the sides take turns on the CPU. */
const TASKS_PER_ROUND = 65_536;

interface Options {
  readonly json?: true;
  readonly rounds: number;
  readonly tasks: number;
  readonly pings: number;
  readonly results: string;
}

/** transportCommand measures the transport. Needs root. */
export function transportCommand(): Command {
  const command = new Command('transport')
    .description("nanoseconds per task through nodeland's rings and through libbpf's ring buffer pair")
    .option('--rounds <n>', 'alternating rounds', wholeNumber(1, 10_000), 31)
    .option(
      '--tasks <n>',
      `tasks per batch; a round is ${TASKS_PER_ROUND} tasks`,
      wholeNumber(1, MAX_TASKS),
      1024,
    )
    .option('--pings <n>', 'round trips to another core', wholeNumber(1, 100_000_000), 500_000)
    .option('--json', 'print JSON')
    .action(async ({ json, rounds, tasks, pings, results }: Options) => {
      const { costs, roundTrip, libbpf } = await measure(rounds, tasks, pings);
      const report = reportOf(costs, roundTrip, libbpf);
      process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : tableOf(report));
      const measurement = transportMeasurement(costs, roundTrip, { rounds, tasks, pings, libbpf });
      await saveResult(measurement, results);
    });
  return withResults(command);
}

async function measure(
  rounds: number,
  tasksPerBatch: number,
  pings: number,
): Promise<{ costs: Costs; roundTrip: RoundTrip | null; libbpf: string }> {
  if (process.getuid?.() !== 0) {
    throw new UserError('loading BPF programs needs root: sudo npm run bench -- transport', EXIT.privilege);
  }
  checkObject();
  buildPair();
  const addon = native();
  const [cpu, otherCpu] = chooseCpus(addon.threadAffinity());
  const { costs, libbpf } = await alternate(cpu, rounds, {
    batches: Math.ceil(TASKS_PER_ROUND / tasksPerBatch),
    tasksPerBatch,
  });
  let roundTrip: RoundTrip | null = null;
  if (otherCpu !== undefined) roundTrip = await measureRoundTrip(addon, cpu, otherCpu, pings);
  return { costs, roundTrip, libbpf };
}

/** Costs are the costs of each round, by side. */
export type Costs = Readonly<Record<'fifo' | 'vtime' | LibbpfJob, readonly Cost[]>>;

/** Does all sides' first rounds, then second rounds, and so on. */
async function alternate(
  cpu: number,
  rounds: number,
  size: RoundSize,
): Promise<{ costs: Costs; libbpf: string }> {
  const open: { close(): Promise<void> }[] = [];
  try {
    const fifo = await NodelandThread.start(cpu, 'fifo', size.tasksPerBatch);
    open.push(fifo);
    const vtime = await NodelandThread.start(cpu, 'vtime', size.tasksPerBatch);
    open.push(vtime);
    const libbpf = await LibbpfProcess.start(cpu);
    open.push(libbpf);
    const measure = (side: Side): { side: Side; costs: Cost[] } => ({ side, costs: [] });
    const measured = {
      fifo: measure(fifo.round),
      same: measure(libbpf.side('same')),
      bare: measure(libbpf.side('bare')),
      byPid: measure(libbpf.side('byPid')),
      singly: measure(libbpf.side('singly')),
      vtime: measure(vtime.round),
    };
    for (let round = -1; round < rounds; round++) {
      for (const { side, costs } of Object.values(measured)) {
        const cost = costOf(await side(size), size.tasksPerBatch);
        // The first round warms up.
        if (round >= 0) costs.push(cost);
      }
    }
    const { fifo: f, vtime: v, same, bare, byPid, singly } = measured;
    const costs = {
      fifo: f.costs,
      vtime: v.costs,
      same: same.costs,
      bare: bare.costs,
      byPid: byPid.costs,
      singly: singly.costs,
    };
    return { costs, libbpf: libbpf.version };
  } finally {
    for (const side of open) await side.close();
  }
}

/** The CPU of all rounds, and one of another core for the round trip, nearest first; undefined where there is none. */
function chooseCpus(allowed: readonly number[]): readonly [number, number | undefined] {
  const { cpus } = readTopology();
  const [first = 0] = allowed;
  const own = cpus.get(asCpu(first));
  const others = allowed
    .map((number) => cpus.get(asCpu(number)))
    .filter((info) => info && info.core !== own?.core);
  const near =
    others.find((info) => info?.llc === own?.llc) ?? others.find((info) => info?.node === own?.node);
  return [first, (near ?? others[0])?.cpu];
}
