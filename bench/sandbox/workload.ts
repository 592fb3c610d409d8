/** The workloads of `bench sandbox`: what each measures, what its figures are called, and how it is run in the machine. */
import type { FigureKind } from '../lab/result.js';
import { medianOf } from '../transport/statistics.js';
import { buildSeconds } from './build-load.js';
import { cyclictest, hackbench, hogs, requests, stressNg } from './loads.js';

/** Figures are what one run of a workload found, each under its key. */
export type Figures = Readonly<Record<string, number | undefined>>;

/** Workload is one of those that can be chosen. */
export interface Workload {
  readonly name: string;
  /** The programs it takes beside rt-tests and stress-ng. */
  readonly needs?: readonly string[];
  /** Of a machine with that many CPUs. */
  readonly figures: (cpus: number) => readonly FigureKind<string>[];
  readonly measure: (cpus: number) => Promise<Figures>;
  /** What a first run would pay for all later ones: run once before anything is measured. */
  readonly prepare?: (cpus: number) => Promise<unknown>;
}

const hogsFor = (cpus: number): number => 2 * cpus;
const groupsFor = (cpus: number): number => Math.ceil(cpus / 2);
const messageThreadsFor = groupsFor;

/** A run takes a fraction of a second, and the next one may take a tenth more. */
const MESSAGE_RUNS = 3;

function messages(name: string, key: string, ...options: readonly string[]): Workload {
  return {
    name,
    figures: (cpus) => [
      {
        key,
        label: ['hackbench', '-g', groupsFor(cpus), '-f 5 -l 200', ...options].join(' ') + ', s',
        unit: 's',
      },
    ],
    measure: async (cpus) => {
      const seconds: number[] = [];
      for (let run = 0; run < MESSAGE_RUNS; run++) seconds.push(await hackbench(groupsFor(cpus), ...options));
      return { [key]: medianOf(seconds) };
    },
  };
}

const STRESS_S = 2;

function operations(stressor: string): Workload {
  const key = `${stressor}OpsPerS`;
  return {
    name: stressor,
    figures: (cpus) => [
      { key, label: `stress-ng --${stressor} ${cpus}, bogo-ops/s`, unit: 'bogo-ops/s', better: 'higher' },
    ],
    measure: async (cpus) => ({ [key]: (await stressNg(stressor, cpus, STRESS_S)).bogoOpsPerS }),
  };
}

const IDLE_S = 2;
const idle: Workload = {
  name: 'idle',
  figures: () => [
    { key: 'idleAverageUs', label: 'cyclictest idle, average us', unit: 'us' },
    { key: 'idleMaxUs', label: 'cyclictest idle, maximum us', unit: 'us' },
  ],
  measure: async (cpus) => {
    const { averageUs, maxUs } = await cyclictest(cpus, IDLE_S);
    return { idleAverageUs: averageUs, idleMaxUs: maxUs };
  },
};

const CPU_S = 4;
const cpu: Workload = {
  name: 'cpu',
  figures: (cpus) => [
    {
      key: 'bogoOps',
      label: `stress-ng --cpu ${hogsFor(cpus)}, bogo-ops`,
      unit: 'bogo-ops',
      better: 'higher',
    },
  ],
  measure: async (cpus) => ({ bogoOps: (await hogs(hogsFor(cpus), CPU_S)).bogoOps }),
};

const BESIDE_S = 5;
const beside: Workload = {
  name: 'beside',
  figures: () => [
    { key: 'loadedAverageUs', label: 'cyclictest beside it, average us', unit: 'us' },
    { key: 'loadedMaxUs', label: 'cyclictest beside it, maximum us', unit: 'us' },
  ],
  measure: async (cpus) => {
    const [, { averageUs, maxUs }] = await Promise.all([
      hogs(hogsFor(cpus), BESIDE_S),
      cyclictest(cpus, BESIDE_S - 1),
    ]);
    return { loadedAverageUs: averageUs, loadedMaxUs: maxUs };
  },
};

const REQUESTS_S = 3;
const latency: Workload = {
  name: 'requests',
  figures: () => [
    { key: 'requestP50Us', label: 'request wake-up p50, us', unit: 'us' },
    { key: 'requestP99Us', label: 'request wake-up p99, us', unit: 'us' },
    { key: 'requestP999Us', label: 'request wake-up p99.9, us', unit: 'us' },
  ],
  measure: async (cpus) => {
    const { p50Us, p99Us, p999Us } = await requests(messageThreadsFor(cpus), REQUESTS_S);
    return { requestP50Us: p50Us, requestP99Us: p99Us, requestP999Us: p999Us };
  },
};

const filesFor = (cpus: number): number => 4 * cpus;
const build: Workload = {
  name: 'build',
  needs: ['make', 'cc'],
  figures: (cpus) => [
    { key: 'buildS', label: `make -j ${hogsFor(cpus)} of ${filesFor(cpus)} C files, s`, unit: 's' },
  ],
  measure: async (cpus) => ({ buildS: await buildSeconds(filesFor(cpus), hogsFor(cpus)) }),
  // The compiler comes from the host the first time.
  prepare: () => buildSeconds(1, 1),
};

const MIXED_S = 5;
const mixed: Workload = {
  name: 'mixed',
  figures: (cpus) => [
    {
      key: 'mixedBogoOps',
      label: `mixed: stress-ng --cpu ${cpus}, bogo-ops`,
      unit: 'bogo-ops',
      better: 'higher',
    },
    { key: 'mixedRequestP50Us', label: 'mixed: request wake-up p50, us', unit: 'us' },
    { key: 'mixedRequestP99Us', label: 'mixed: request wake-up p99, us', unit: 'us' },
    { key: 'mixedAverageUs', label: 'mixed: cyclictest average, us', unit: 'us' },
    { key: 'mixedMaxUs', label: 'mixed: cyclictest maximum, us', unit: 'us' },
  ],
  measure: async (cpus) => {
    const [batch, served, timers] = await Promise.all([
      hogs(cpus, MIXED_S),
      requests(messageThreadsFor(cpus), MIXED_S - 2),
      cyclictest(cpus, MIXED_S - 1),
    ]);
    return {
      mixedBogoOps: batch.bogoOps,
      mixedRequestP50Us: served.p50Us,
      mixedRequestP99Us: served.p99Us,
      mixedAverageUs: timers.averageUs,
      mixedMaxUs: timers.maxUs,
    };
  },
};

const WORKLOADS: readonly Workload[] = [
  messages('hackbench', 'hackbenchS'),
  messages('hackbench-pipe', 'hackbenchPipeS', '--pipe'),
  messages('hackbench-thread', 'hackbenchThreadS', '--threads'),
  messages('hackbench-thread-pipe', 'hackbenchThreadPipeS', '--threads', '--pipe'),
  idle,
  cpu,
  beside,
  latency,
  ...['switch', 'futex', 'fork'].map(operations),
  build,
  mixed,
];

/** WORKLOAD_NAMES lists them all, in the order in which they run. */
export const WORKLOAD_NAMES: readonly string[] = WORKLOADS.map(({ name }) => name);

/** DEFAULT_WORKLOADS keeps a run short. */
export const DEFAULT_WORKLOADS: readonly string[] = ['hackbench', 'idle', 'cpu', 'beside'];

/** workloadsOf finds workloads by their names, in the order in which they run. */
export function workloadsOf(names: readonly string[]): Workload[] {
  return WORKLOADS.filter(({ name }) => names.includes(name));
}
