/**
 * What it costs to hand a task from one worker to another, through an inbox, through a ring of ringbuf.js (one writer, one reader)
 * and through a MessagePort, in one alternating run of two spinning threads on two CPUs.
 */
import { once } from 'node:events';
import { MessageChannel, Worker } from 'node:worker_threads';
import { Command } from 'commander';
import { RingBuffer } from 'ringbuf.js';
import { EXIT, UserError } from '../src/cli/errors.js';
import { INBOX_SIZE, inboxBytes } from '../src/handoff/inbox.js';
import { readTopology } from '../src/topology/read.js';
import { wholeNumber } from '../src/cli/whole-number.js';
import { figure, type Measurement, ratioFigure } from './lab/result.js';
import { saveResult, withResults } from './lab/store.js';
import { type Figure, figureOf } from './transport/statistics.js';
import type { HandOffJob, HandOffTask } from './hand-off-worker.js';

const RECORDS = { inbox: 256_000, ring: 256_000, port: 10_000 };
const PINGS = { inbox: 20_000, ring: 20_000, port: 1_000, word: 20_000 };

/** What a task takes in an inbox, beside its number there: slot, enqueue count, stamp, lag. */
const RECORD_WORDS = 4;

/** Times are nanoseconds per record, each round's, by what was measured. */
type Times = ReadonlyMap<string, readonly number[]>;

/** handOffCommand measures hand-off. */
export function handOffCommand(): Command {
  const command = new Command('hand-off')
    .description(
      'nanoseconds per task handed from worker to worker, by inbox, by ringbuf.js and by MessagePort',
    )
    .option('--rounds <n>', 'alternating rounds', wholeNumber(1, 1000), 11)
    .option('--json', 'print JSON')
    .action(async ({ rounds, json, results }: { rounds: number; json?: true; results: string }) => {
      const times = await measure(rounds);
      const report = reportOf(times);
      process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : textOf(report));
      await saveResult(measurementOf(times, rounds), results);
    });
  return withResults(command);
}

interface Report {
  readonly ratio: number;
  readonly figuresNs: Record<string, Figure>;
}

function textOf({ figuresNs, ratio }: Report): string {
  const lines = Object.entries(figuresNs).map(
    ([name, { median, min, max, n }]) =>
      `${name.padEnd(22)} median ${median.toFixed(1)} ns (${min.toFixed(1)} to ${max.toFixed(1)}, n ${n})\n`,
  );
  const ofRing = figuresNs['ring: batches of 128'].median / figuresNs['inbox: batches of 128'].median;
  return (
    lines.join('') +
    `a record in batches of 128 by inbox is ${ratio.toFixed(1)} times faster than by port, ` +
    `by ringbuf.js it takes ${ofRing.toFixed(2)} of that time\n`
  );
}

function reportOf(times: Times): Report {
  const figuresNs = Object.fromEntries([...times].map(([name, values]) => [name, figureOf(values)]));
  return {
    ratio: figuresNs['port: batches of 1'].median / figuresNs['inbox: batches of 128'].median,
    figuresNs,
  };
}

function measurementOf(times: Times, rounds: number): Measurement {
  const ratio = (by: string, of: string): ReturnType<typeof ratioFigure> => {
    const [upper = [], lower = []] = [times.get(by), times.get(of)];
    return ratioFigure(`${by} / ${of}`, [upper.map((ns, round) => ns / lower[round])]);
  };
  return {
    benchmark: 'hand-off',
    settings: { rounds },
    figures: [
      ...[...times].map(([name, values]) => figure(name, 'ns per record', values)),
      ratio('word: one way', 'inbox: one way'),
      ratio('ring: batches of 128', 'inbox: batches of 128'),
      ratio('port: batches of 1', 'inbox: batches of 128'),
    ],
  };
}

async function measure(rounds: number): Promise<Times> {
  const { online } = readTopology();
  if (online.length < 2) throw new UserError('hand-off needs two CPUs', EXIT.failure);
  const [firstCpu, secondCpu] = online;
  const pair = await HandOffPair.start(firstCpu, secondCpu);
  const times = new Map<string, number[]>();
  const add = (name: string, ns: number): void => {
    times.set(name, [...(times.get(name) ?? []), ns]);
  };
  try {
    // The first round warms up.
    for (let round = 0; round <= rounds; round++) {
      const note = round === 0 ? (): void => undefined : add;
      for (const by of ['inbox', 'ring', 'port', 'word'] as const) {
        note(`${by}: one way`, await pair.oneWayNs(by));
        if (by === 'word') continue;
        for (const batch of by === 'port' ? [1] : [1, 8, 128])
          note(`${by}: batches of ${batch}`, await pair.recordNs(by, batch));
      }
    }
  } finally {
    await pair.close();
  }
  return times;
}

/** HandOffPair is two spinning threads on two CPUs. */
export class HandOffPair {
  private constructor(
    private readonly first: Worker,
    private readonly second: Worker,
  ) {}

  static async start(firstCpu: number, secondCpu: number): Promise<HandOffPair> {
    const memory = new SharedArrayBuffer(inboxBytes(2));
    // Two lines for each word, so that neither is fetched with the other.
    const words = new SharedArrayBuffer(256);
    const { port1, port2 } = new MessageChannel();
    const rings = [0, 1].map(() => RingBuffer.getStorageForCapacity(INBOX_SIZE * RECORD_WORDS, Int32Array));
    const shared = { memory, words, rings, recordWords: RECORD_WORDS };
    const first = await startThread({ ...shared, cpu: firstCpu, own: 0, other: 1, port: port1 });
    const second = await startThread({ ...shared, cpu: secondCpu, own: 1, other: 0, port: port2 });
    return new HandOffPair(first, second);
  }

  /** oneWayNs is half of what one record, or one word, takes there and back. */
  async oneWayNs(by: HandOffJob['by']): Promise<number> {
    return (await this.both({ role: 'ping', by, count: PINGS[by], batch: 1 }, 'pong')) / 2;
  }

  /** recordNs is what a record takes in a stream of batches. */
  recordNs(by: 'inbox' | 'ring' | 'port', batch: number): Promise<number> {
    const count = Math.floor(RECORDS[by] / batch) * batch;
    return this.both({ role: 'send', by, count, batch }, 'receive');
  }

  async close(): Promise<void> {
    await Promise.all([this.first.terminate(), this.second.terminate()]);
  }

  /** Both threads' parts of a job at once; nanoseconds per record of the receiving, or pinging, side. */
  private async both(job: HandOffJob, answer: HandOffJob['role']): Promise<number> {
    const { first, second } = this;
    const ends = [once(first, 'message'), once(second, 'message')];
    second.postMessage({ ...job, role: answer });
    first.postMessage(job);
    const [[firstNs], [secondNs]] = (await Promise.all(ends)) as [[number], [number]];
    return job.role === 'send' ? secondNs : firstNs;
  }
}

async function startThread(task: HandOffTask): Promise<Worker> {
  const worker = new Worker(new URL('./hand-off-worker.js', import.meta.url), {
    workerData: task,
    transferList: [task.port],
  });
  await once(worker, 'message');
  return worker;
}
