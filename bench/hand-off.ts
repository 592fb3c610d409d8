/**
 * What it costs to hand a task from one worker to another, through an inbox and through a MessagePort, in one alternating
 * run of two spinning threads on two CPUs.
 */
import { once } from 'node:events';
import { MessageChannel, Worker } from 'node:worker_threads';
import { Command, InvalidArgumentError } from 'commander';
import { EXIT, UserError } from '../src/cli/errors.js';
import { inboxBytes } from '../src/handoff/inbox.js';
import { readTopology } from '../src/topology/read.js';
import { type Figure, figureOf } from './transport/statistics.js';
import type { HandOffJob, HandOffTask } from './hand-off-worker.js';

const RECORDS = { inbox: 1_000_000, port: 20_000 };
const PINGS = { inbox: 50_000, port: 5_000 };

/** handOffCommand measures hand-off. */
export function handOffCommand(): Command {
  return new Command('hand-off')
    .description('nanoseconds per task handed from worker to worker, by inbox and by MessagePort')
    .option('--rounds <n>', 'alternating rounds', wholeRounds, 11)
    .option('--json', 'print JSON')
    .action(async ({ rounds, json }: { rounds: number; json?: true }) => {
      const report = await measure(rounds);
      if (json) {
        process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
        return;
      }
      for (const [name, { median, min, max, n }] of Object.entries(report.figuresNs)) {
        process.stdout.write(
          `${name.padEnd(22)} median ${median.toFixed(1)} ns (${min.toFixed(1)} to ${max.toFixed(1)}, n ${n})\n`,
        );
      }
      process.stdout.write(
        `a record in batches of 128 by inbox is ${report.ratio.toFixed(1)} times faster than by port\n`,
      );
    });
}

function wholeRounds(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= 1000) return value;
  throw new InvalidArgumentError('expected a whole number from 1 to 1000');
}

async function measure(rounds: number): Promise<{ ratio: number; figuresNs: Record<string, Figure> }> {
  const { online } = readTopology();
  if (online.length < 2) throw new UserError('hand-off needs two CPUs', EXIT.failure);
  const [firstCpu, secondCpu] = online;
  const memory = new SharedArrayBuffer(inboxBytes(2));
  const { port1, port2 } = new MessageChannel();
  const first = await start({ cpu: firstCpu, memory, own: 0, other: 1, port: port1 });
  const second = await start({ cpu: secondCpu, memory, own: 1, other: 0, port: port2 });
  const times = new Map<string, number[]>();
  const add = (name: string, ns: number): void => {
    times.set(name, [...(times.get(name) ?? []), ns]);
  };
  try {
    // The first round warms up.
    for (let round = 0; round <= rounds; round++) {
      const note = round === 0 ? (): void => undefined : add;
      for (const by of ['inbox', 'port'] as const) {
        const count = PINGS[by];
        const trip = await pair(first, second, { role: 'ping', by, count, batch: 1 }, 'pong');
        note(`${by}: one way`, trip / count / 2);
        for (const batch of by === 'inbox' ? [1, 8, 128] : [1]) {
          const records = Math.floor(RECORDS[by] / batch) * batch;
          const sent = await pair(first, second, { role: 'send', by, count: records, batch }, 'receive');
          note(`${by}: batches of ${batch}`, sent / records);
        }
      }
    }
  } finally {
    await Promise.all([first.terminate(), second.terminate()]);
  }
  const figuresNs = Object.fromEntries([...times].map(([name, values]) => [name, figureOf(values)]));
  return {
    ratio: figuresNs['port: batches of 1'].median / figuresNs['inbox: batches of 128'].median,
    figuresNs,
  };
}

async function start(task: HandOffTask): Promise<Worker> {
  const worker = new Worker(new URL('./hand-off-worker.js', import.meta.url), {
    workerData: task,
    transferList: [task.port],
  });
  await once(worker, 'message');
  return worker;
}

/** Both threads' parts of a job at once; the time in nanoseconds until the receiving, or pinging, side was through. */
async function pair(
  first: Worker,
  second: Worker,
  job: HandOffJob,
  answer: HandOffJob['role'],
): Promise<number> {
  const ends = [once(first, 'message'), once(second, 'message')];
  second.postMessage({ ...job, role: answer });
  first.postMessage(job);
  const [[firstMs], [secondMs]] = (await Promise.all(ends)) as [[number], [number]];
  return (job.role === 'send' ? secondMs : firstMs) * 1e6;
}
