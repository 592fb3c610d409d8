/**
 * Decisions per second on the cores there are. Arrangements, each in a session of its own:
 *   k workers, self-fed        k threads on k CPUs, each a domain that pushes, decides and drains on its own CPU
 *   1 worker, f feeders        one domain; its worker spins on one CPU, f other CPUs push and drain
 *   k workers, k feeders       k domains, each with a worker on one CPU and a feeder on another
 * The rate is the sum, over the threads that drain, of one by the median time per task of short chunks: chunks in which
 * the kernel gave the CPU to somebody else are not counted as long as they are fewer than half.
 */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { NativeAddon, SessionId } from '../../src/kernel/native-addon.js';
import { commandGo, commandStop, createControl } from '../../src/worker/control.js';
import { LIMIT } from '../../src/shm/layout.generated.js';
import { readTopology } from '../../src/topology/read.js';
import type { PartTimes, ScalePart } from '../scale-worker.js';
import { openLoopback } from '../transport/loopback.js';

/** A feeder has slots for its batches and those under way, where the table has so many. */
const SLOTS_PER_FEEDER = 4096;

/** Arrangement is who does what on which CPU. */
export interface Arrangement {
  readonly name: string;
  readonly workers: number;
  readonly cpus: number;
  readonly parts: readonly Role[];
}

/** Role is one thread's part. */
export interface Role {
  readonly kind: ScalePart['kind'];
  readonly cpu: number;
  readonly domain: number;
}

/** arrangements are those that fit on these CPUs. */
export function arrangements(cpus: readonly number[]): Arrangement[] {
  const self = cpus.map((_, last) => selfFed(cpus.slice(0, last + 1)));
  const oneWorker = cpus.slice(1).map((_, last) => oneFed(cpus.slice(0, last + 2)));
  const pairs = Array.from({ length: Math.floor(cpus.length / 2) - 1 }, (_, last) =>
    paired(cpus.slice(0, 2 * (last + 2))),
  );
  return [...self, ...oneWorker, ...pairs];
}

function selfFed(cpus: readonly number[]): Arrangement {
  const parts = cpus.map((cpu, domain): Role => ({ kind: 'self', cpu, domain }));
  return {
    name: `${plural(cpus.length, 'worker')}, self-fed`,
    workers: cpus.length,
    cpus: cpus.length,
    parts,
  };
}

function oneFed(cpus: readonly number[]): Arrangement {
  const [workerCpu = 0, ...feeders] = [...cpus].reverse();
  const worker: Role = { kind: 'worker', cpu: workerCpu, domain: 0 };
  const parts = [worker, ...feeders.map((cpu): Role => ({ kind: 'feed', cpu, domain: 0 }))];
  return { name: `1 worker, ${plural(feeders.length, 'feeder')}`, workers: 1, cpus: cpus.length, parts };
}

function paired(cpus: readonly number[]): Arrangement {
  const parts = cpus.map((cpu, index): Role => ({
    kind: index % 2 === 0 ? 'feed' : 'worker',
    cpu,
    domain: index >> 1,
  }));
  const workers = cpus.length / 2;
  return { name: `${workers} workers, ${workers} feeders`, workers, cpus: cpus.length, parts };
}

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** handInTurns is the pair of threads that times each step on its own, on two CPUs. */
export function handInTurns([first, second]: readonly [number, number]): readonly Role[] {
  return [
    { kind: 'hand', cpu: first, domain: 0 },
    { kind: 'take', cpu: second, domain: 0 },
  ];
}

/** Crew is an arrangement's threads, made once and let go for each round. */
export class Crew {
  private constructor(
    private readonly native: NativeAddon,
    private readonly session: SessionId,
    private readonly workers: readonly Worker[],
  ) {}

  /** start makes the session and the threads, which warm up and then wait. */
  static async start(native: NativeAddon, parts: readonly Role[], batchTasks: number): Promise<Crew> {
    const domains = Math.max(...parts.map(({ domain }) => domain)) + 1;
    const { session, byteLength } = openLoopback(native, domainSpec(domains));
    const turn = new SharedArrayBuffer(128);
    const nrSlots = Math.min(SLOTS_PER_FEEDER, Math.floor(LIMIT.MAX_SLOTS / parts.length));
    const workers = parts.map(({ kind, cpu, domain }, index) => {
      const place = { domain, firstSlot: index * nrSlots, nrSlots };
      const workerData: ScalePart = {
        kind,
        cpu,
        place,
        session,
        byteLength,
        policy: 'fifo',
        batchTasks,
        turn,
      };
      return new Worker(new URL('../scale-worker.js', import.meta.url), { workerData });
    });
    await Promise.all(workers.map((worker) => once(worker, 'message')));
    return new Crew(native, session, workers);
  }

  /** round lets all go for a while and gives their times, in the order of the parts. */
  async round(durationMs: number): Promise<PartTimes[]> {
    const control = createControl();
    const answers = this.workers.map((worker) => once(worker, 'message') as Promise<[PartTimes]>);
    for (const worker of this.workers) worker.postMessage(control.buffer);
    commandGo(control);
    await sleep(durationMs);
    commandStop(control);
    return (await Promise.all(answers)).map(([times]) => times);
  }

  async close(): Promise<void> {
    const gone = this.workers.map((worker) => once(worker, 'exit'));
    for (const worker of this.workers) worker.postMessage('close');
    await Promise.all(gone);
    this.native.closeSession(this.session);
  }
}

/** decisionsPerSecond sums up a round: what all threads that drain get through. */
export function decisionsPerSecond(times: readonly PartTimes[]): number {
  return times.reduce((sum, { total }) => (total > 0 ? sum + 1e9 / total : sum), 0);
}

/** Divides the CPUs there are among so many domains; which CPU a domain names does not matter to the loopback. */
function domainSpec(domains: number): string {
  if (domains === 1) return 'one';
  const { online } = readTopology();
  const from = (domain: number): number => Math.round((domain * online.length) / domains);
  return Array.from({ length: domains }, (_, domain) =>
    online.slice(from(domain), from(domain + 1)).join(','),
  ).join(';');
}
