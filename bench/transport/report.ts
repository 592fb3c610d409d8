/** The benchmark's result, for programs and for people. */
import { cpus, release } from 'node:os';
import type { Costs } from '../transport.js';
import type { LibbpfJob } from './libbpf.js';
import type { RoundTrip } from './round-trip.js';
import type { Cost, Step } from './round.js';
import { type Figure, figureOf, medianOf } from './statistics.js';

/** Figures are nanoseconds per task over the rounds, by step; `total` is a figure of its own, not the sum of medians. */
type Figures = Readonly<Record<Step | 'total', Figure>>;

type PairFigures = Readonly<Record<'push' | 'consume' | 'drain' | 'total', Figure>>;

export interface TransportReport {
  /** libbpf's total divided by nodeland's with fifo, both doing the same job: the median over the rounds. */
  readonly ratio: number;
  /** The same for libbpf's other jobs. */
  readonly ratios: Readonly<Record<LibbpfJob, number>>;
  readonly unit: 'ns per task';
  readonly nodeland: Figures & { readonly vtime: Figures };
  /** With the bookkeeping and the checks that nodeland does. */
  readonly libbpf: PairFigures & {
    /** Without them. */
    readonly bare: PairFigures;
    /** With them, and a look-up of the task by its pid for each decision. */
    readonly byPid: PairFigures;
    /** With them, and one decision per drain, as scx_rustland does in practice. */
    readonly singly: PairFigures;
  };
  /** null on a machine with one core. */
  readonly roundTripNs: RoundTrip | null;
  readonly machine: {
    readonly cpu: string;
    readonly cpus: number;
    readonly kernel: string;
    readonly node: string;
    readonly libbpf: string;
  };
}

/** reportOf sums the rounds up. */
export function reportOf(costs: Costs, roundTripNs: RoundTrip | null, libbpf: string): TransportReport {
  const ratio = (job: LibbpfJob): number =>
    Number(medianOf(costs.fifo.map(({ total }, round) => costs[job][round].total / total)).toFixed(2));
  const ratios = { same: ratio('same'), bare: ratio('bare'), byPid: ratio('byPid'), singly: ratio('singly') };
  return {
    ratio: ratios.same,
    ratios,
    unit: 'ns per task',
    nodeland: { ...figuresOf(costs.fifo), vtime: figuresOf(costs.vtime) },
    libbpf: {
      ...pairOf(costs.same),
      bare: pairOf(costs.bare),
      byPid: pairOf(costs.byPid),
      singly: pairOf(costs.singly),
    },
    roundTripNs,
    machine: {
      cpu: cpus().at(0)?.model ?? 'unknown',
      cpus: cpus().length,
      kernel: release(),
      node: process.version,
      libbpf,
    },
  };
}

function figuresOf(costs: readonly Cost[]): Figures {
  const figure = (step: Step | 'total'): Figure => figureOf(costs.map((cost) => cost[step]));
  return { push: figure('push'), decide: figure('decide'), drain: figure('drain'), total: figure('total') };
}

function pairOf(costs: readonly Cost[]): PairFigures {
  const { push, decide, drain, total } = figuresOf(costs);
  return { push, consume: decide, drain, total };
}

/** tableOf draws a report for people. */
export function tableOf(report: TransportReport): string {
  const { nodeland, libbpf, ratios, roundTripNs: trip, machine } = report;
  const rows: [string, Figure][] = [
    ...rowsOf('nodeland, fifo', 'decide in JavaScript', nodeland, nodeland.decide),
    ...rowsOf('nodeland, vtime', 'decide in JavaScript', nodeland.vtime, nodeland.vtime.decide),
    ...rowsOf('libbpf, same job', 'consume in C', libbpf, libbpf.consume),
    ...rowsOf('libbpf, bare', 'consume in C', libbpf.bare, libbpf.bare.consume),
    ...rowsOf('libbpf, by pid', 'consume in C', libbpf.byPid, libbpf.byPid.consume),
    ...rowsOf('libbpf, singly', 'consume in C', libbpf.singly, libbpf.singly.consume),
  ];
  const line = (name: string, ...cells: string[]): string =>
    `${name.padEnd(40)}${cells.map((cell) => cell.padStart(9)).join('')}\n`;
  const body = rows.map(([name, { n, median, min, max }]) =>
    line(name, ...[median, min, max].map((ns) => ns.toFixed(1)), String(n)),
  );
  const roundTrip =
    trip === null
      ? 'round trip to another core: this machine has only one\n'
      : `round trip to another core: p50 ${trip.p50} ns, p99 ${trip.p99} ns, p99.9 ${trip.p999} ns, ` +
        `all below ${trip.maxBucket} ns (n ${trip.n}, lost ${trip.lost})\n`;
  return (
    `${machine.cpu}, ${machine.cpus} CPUs, Linux ${machine.kernel}, Node ${machine.node}, libbpf ${machine.libbpf}\n\n` +
    line('ns per task', 'median', 'min', 'max', 'n') +
    body.join('') +
    `\nlibbpf / nodeland (fifo): ${ratios.same} for the same job, ${ratios.bare} bare, ${ratios.byPid} by pid, ` +
    `${ratios.singly} one decision per drain\n` +
    roundTrip
  );
}

function rowsOf(
  name: string,
  middle: string,
  { push, drain, total }: Readonly<Record<'push' | 'drain' | 'total', Figure>>,
  decide: Figure,
): [string, Figure][] {
  return [
    [`${name.padEnd(18)}push`, push],
    [`${' '.repeat(18)}${middle}`, decide],
    [`${' '.repeat(18)}drain`, drain],
    [`${' '.repeat(18)}total`, total],
  ];
}
