/** What a workload can be made of. One schema for the file and for the named ones; docs/simulate.md describes the keys. */
import { z } from 'zod';
import { CpuListError, parseCpuList } from '../../topology/cpulist.js';

const cpuList = z.string().superRefine((text, context) => {
  try {
    parseCpuList(text);
  } catch (error) {
    if (!(error instanceof CpuListError)) throw error;
    context.addIssue({ code: 'custom', message: error.message });
  }
});

const count = z.int().min(1).max(100_000);
const timeUs = z.number().min(1).max(60_000_000);
const pauseUs = z.number().min(0).max(60_000_000);

/** What every group has. How many there are is said by `count`, or by `perCpu` for each CPU that it may use. */
const common = {
  count: count.optional(),
  perCpu: z.number().positive().max(1000).optional(),
  /** 100 is nice 0. */
  weight: z.int().min(1).max(10_000).default(100),
  /** CPUs it may use; all without. */
  cpus: cpuList.optional(),
  startMs: z.number().min(0).max(3_600_000).default(0),
};

/** Tasks that never sleep. */
const hogs = z.strictObject({ kind: z.literal('hogs'), ...common });
/** Tasks that run for a while and sleep for a while. */
const sleepers = z.strictObject({
  kind: z.literal('sleepers'),
  ...common,
  runUs: timeUs.default(200),
  sleepUs: timeUs.default(10_000),
});
/** The same, each bound to one CPU. */
const pinned = z.strictObject({
  kind: z.literal('pinned'),
  ...common,
  runUs: timeUs.default(500),
  sleepUs: timeUs.default(1500),
});
/** Trees of processes: each forks `children`, down to `depth`, each child executes another program, and its parent waits. */
const forks = z.strictObject({
  kind: z.literal('forks'),
  ...common,
  depth: z.int().min(1).max(8).default(2),
  children: z.int().min(1).max(16).default(3),
  runUs: timeUs.default(300),
  execUs: timeUs.default(500),
  pauseUs: pauseUs.default(5000),
});
/** Chains of tasks that hand items on through pipes of bounded capacity. */
const pipeline = z.strictObject({
  kind: z.literal('pipeline'),
  ...common,
  stages: z.int().min(2).max(64).default(4),
  runUs: timeUs.default(50),
  capacity: z.int().min(1).max(10_000).default(16),
  /** Between two items of the first stage; 0: as fast as it can. */
  pauseUs: pauseUs.default(0),
});
/** Servers with worker threads; requests arrive by chance, however many are under way. */
const server = z.strictObject({
  kind: z.literal('server'),
  ...common,
  workers: z.int().min(1).max(10_000).default(32),
  serviceUs: timeUs.default(500),
  /** What the requests of the whole group want, as a share of the CPUs it may use. */
  load: z.number().positive().max(10).default(0.5),
  /** The same, said by number. */
  requestsPerS: z.number().positive().max(100_000_000).optional(),
});
/** A parallel make: jobs in waves, each wave when the one before is done, and a link at the end. `count` is its -j. */
const build = z.strictObject({
  kind: z.literal('build'),
  ...common,
  waves: z.int().min(1).max(100).default(3),
  /** Jobs in each wave for each one that runs at a time. */
  jobsPerSlot: z.number().positive().max(1000).default(4),
  forkUs: timeUs.default(300),
  compileUs: timeUs.default(20_000),
  ioUs: timeUs.default(500),
  linkUs: timeUs.default(50_000),
});

const groupSchema = z
  .discriminatedUnion('kind', [hogs, sleepers, pinned, forks, pipeline, server, build])
  .superRefine(({ count: number, perCpu }, context) => {
    if (number === undefined || perCpu === undefined) return;
    context.addIssue({ code: 'custom', path: ['perCpu'], message: 'expected count or perCpu, not both' });
  });

/** GroupSpec is one group of a workload, its defaults filled in. */
export type GroupSpec = Readonly<z.output<typeof groupSchema>>;
export type GroupKind = GroupSpec['kind'];
/** PER_CPU is how many there are for each CPU when neither `count` nor `perCpu` says. */
export const PER_CPU: Readonly<Record<GroupKind, number>> = {
  hogs: 1,
  sleepers: 4,
  pinned: 2,
  forks: 0.5,
  pipeline: 0.25,
  server: 0.125,
  build: 1,
};
/** GroupOf is a group of one kind. */
export type GroupOf<Kind extends GroupKind> = Extract<GroupSpec, { readonly kind: Kind }>;

/** Workloads are at most this long, in simulated time. */
export const LONGEST_MS = 3_600_000;

export const workloadSchema = z.strictObject({
  /** How long it is simulated if nothing else is said. */
  durationMs: z.number().positive().max(LONGEST_MS).optional(),
  groups: z
    .record(z.string().regex(/^[\w-]{1,15}$/), groupSchema)
    .refine((groups) => Object.keys(groups).length > 0, {
      message: 'expected at least one group',
    }),
});

/** WorkloadSpec is a workload, its defaults filled in. */
export type WorkloadSpec = Readonly<z.output<typeof workloadSchema>>;
/** WorkloadInput is what a file says. */
export type WorkloadInput = z.input<typeof workloadSchema>;
