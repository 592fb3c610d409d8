/** What a simulation comes to: the one schema of what `nodeland sim --json` prints. */
import { z } from 'zod';
import { COUNTER_NAMES, DOMAIN_STATE_NAMES, HIST_NAMES, WORKER_STAT_NAMES } from '../shm/layout.generated.js';
import { faultSchema } from './faults.js';
import { percentilesSchema } from './samples.js';

/** RESULT_FORMAT changes when a field changes its meaning or goes. */
export const RESULT_FORMAT = 1;

const share = z.number().min(0);
const count = z.number().min(0);
const ns = z.number().min(0);

/** Of a histogram with buckets a quarter wide (src/observe/histogram.ts). */
const histogramSchema = z.strictObject({ count, p50Ns: ns, p99Ns: ns, p999Ns: ns });

const domainSchema = z.strictObject({
  name: z.string(),
  cpus: z.int().min(1),
  workerCpu: z.int().min(0),
  policy: z.string(),
  state: z.enum(DOMAIN_STATE_NAMES),
  /** Of its CPUs' time that tasks ran, and of its worker's that it was at work. */
  busyShare: share,
  workerShare: share,
  /** By the names of docs/counters.md. */
  counters: z.record(z.enum(COUNTER_NAMES), count),
  worker: z.record(z.enum(WORKER_STAT_NAMES), count),
  histograms: z.record(z.enum(HIST_NAMES), histogramSchema),
  /** Tasks that began to run here and ran last in another domain, by that domain. */
  movedFrom: z.array(count),
});

const groupSchema = z.strictObject({
  name: z.string(),
  kind: z.string(),
  /** That there have been. */
  tasks: count,
  cpuShare: share,
  /** From waking to running, and from every enqueue to running. */
  wakeUp: percentilesSchema,
  wait: percentilesSchema,
  /** Requests, items, trees or jobs, and how long each took. */
  done: count,
  donePerS: count,
  took: percentilesSchema,
});

export const resultSchema = z.strictObject({
  format: z.literal(RESULT_FORMAT),
  nodeland: z.string(),
  machine: z.strictObject({ cpus: z.int(), nodes: z.int(), domains: z.string() }),
  policy: z.strictObject({
    source: z.string(),
    name: z.string(),
    options: z.record(z.string(), z.unknown()),
  }),
  settings: z.strictObject({
    ask: z.string(),
    fastPath: z.boolean(),
    sliceUs: z.number(),
    stallMs: z.number(),
    stealUs: z.number(),
    slots: z.number(),
    decisionNs: z.number(),
    batchNs: z.number(),
  }),
  workload: z.string(),
  seed: z.number(),
  faults: z.array(faultSchema),
  /** Of which everything here is; what came before is not counted. */
  simulatedMs: z.number().min(0),
  warmUpMs: z.number().min(0),
  /** Why it ended. */
  ended: z.enum(['duration', 'switches', 'all tasks exited']),
  switches: count,
  switchesPerS: count,
  tasks: count,
  busyShare: share,
  workerShare: share,
  decisions: count,
  wakeUp: percentilesSchema,
  wait: percentilesSchema,
  groups: z.array(groupSchema),
  domains: z.array(domainSchema),
  /** Of the machine that simulated. All else is the same for the same seed. */
  wall: z.strictObject({ seconds: z.number().min(0) }),
});

/** SimResult is one simulation's result. */
export type SimResult = Readonly<z.output<typeof resultSchema>>;
export type GroupResult = SimResult['groups'][number];
export type DomainResult = SimResult['domains'][number];
