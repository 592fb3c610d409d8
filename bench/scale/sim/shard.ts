/** A domain while it is simulated. */
import { Fifo } from './fifo.js';
import { ContendedLine } from './line.js';
import type { Machine } from './machine.js';
import type { ShardPlan } from './options.js';

/** Worker is one deciding thread, on a CPU of its own or one of the shard's. */
export interface Worker {
  /** Among all workers; set when all are there. */
  number: number;
  readonly cpu: number;
  readonly shard: Shard;
  readonly batch: number[];
  /** Those of the batch that go to another shard. */
  readonly handed: number[];
  working: boolean;
  busyNs: number;
}

/** Shard is a domain's rings and who decides for it. */
export interface Shard {
  readonly ring: Fifo;
  readonly decided: Fifo;
  readonly tail: ContendedLine;
  readonly head: ContendedLine;
  readonly workers: readonly Worker[];
  readonly number: number;
  /** Places of the ring in use, those being written among them. */
  used: number;
}

/** makeShard makes an empty one; the worker's CPU has its lines at first. */
export function makeShard({ workerCpus }: ShardPlan, number: number, machine: Machine): Shard {
  const [first = 0] = workerCpus;
  const workers: Worker[] = [];
  const shard: Shard = {
    ...{ ring: new Fifo(), decided: new Fifo(), workers, number, used: 0 },
    tail: new ContendedLine(machine, first),
    head: new ContendedLine(machine, first),
  };
  for (const cpu of workerCpus)
    workers.push({ number: 0, cpu, shard, batch: [], handed: [], working: false, busyNs: 0 });
  return shard;
}
