/** Part (b): sweeps of the simulation, as curves and figures. */
import type { Curves } from '../../src/observe/plot.js';
import { figure, type Measurement, type ResultFigure } from '../lab/result.js';
import { type Answer, ask, type Design, DESIGNS, kneeOf, type World } from './designs.js';

/** CPU counts of the sweeps. */
const SIZES = [8, 16, 32, 64, 128, 256, 512, 1024];
const LARGEST = 1024;
/** Asks per CPU and second in the sweeps over CPUs. */
export const RATE = 20_000;
const RATES = [1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000];
/** Knees need many runs, each of fewer tasks. */
const KNEE_TASKS_SHARE = 0.5;

/** StudyOptions are the world and the seeds; curves are of the first seed, figures of all. */
export interface StudyOptions {
  readonly world: Omit<World, 'seed'>;
  readonly seeds: readonly number[];
  readonly say: (line: string) => void;
}

/** study runs all sweeps. Deterministic by the seeds. */
export function study({ world, seeds, say }: StudyOptions): Measurement {
  const [seed = 1] = seeds;
  const first: World = { ...world, seed };
  say(`${SIZES.length} sizes and ${RATES.length} rates of ${DESIGNS.length} designs`);
  const bySize = answers(SIZES, (design, cpus) => ask({ design, cpus, asksPerCpuPerSecond: RATE }, first));
  const byRate = answers(RATES, (design, rate) =>
    ask({ design, cpus: LARGEST, asksPerCpuPerSecond: rate }, first),
  );
  say('the knees');
  const kneeWorld = { ...first, tasks: Math.ceil(first.tasks * KNEE_TASKS_SHARE) };
  const knees = answers(SIZES, (design, cpus) => kneeOf(design, cpus, kneeWorld));
  say(`${seeds.length} seeds at ${LARGEST} CPUs`);
  return {
    benchmark: 'scale-model',
    settings: {
      ...world.costs,
      ...world.lines,
      handOffShare: world.handOffShare,
      tasks: world.tasks,
      seeds: seeds.join(' '),
    },
    figures: DESIGNS.flatMap((design) => figuresOf(design, world, seeds)),
    curves: [...sizeCurves(bySize), ...rateCurves(byRate), kneeCurves(knees)],
  };
}

/** By design, in the order of the axis. */
type Sweep<T> = ReadonlyMap<Design, readonly (readonly [number, T])[]>;

function answers<T>(axis: readonly number[], answer: (design: Design, x: number) => T): Sweep<T> {
  return new Map(DESIGNS.map((design) => [design, axis.map((x) => [x, answer(design, x)] as const)]));
}

function linesOf<T>(sweep: Sweep<T>, value: (answer: T) => number): Curves['lines'] {
  const rounded = (y: number): number => Number(y.toPrecision(4));
  return [...sweep].map(([name, points]) => ({
    name,
    points: points.map(([x, answer]): [number, number] => [x, rounded(value(answer))]),
  }));
}

const CPUS = { label: 'CPUs', log: true };
const QUANTILES = [
  ['p50', 'p50', 'median'],
  ['p99', 'p99', '99 %'],
  ['p999', 'p99-9', '99.9 %'],
] as const;

function sizeCurves(sweep: Sweep<Answer>): Curves[] {
  const at = `${RATE.toLocaleString('en')} asks per CPU and second`;
  return [
    {
      id: 'throughput',
      title: `Decisions per second, ${at}`,
      x: CPUS,
      y: { label: 'decisions per second', log: true },
      lines: linesOf(sweep, ({ decisionsPerSecond }) => decisionsPerSecond),
    },
    ...QUANTILES.map(([quantile, id, name]) => ({
      id: `wait-${id}`,
      title: `Wait for a decision, ${name}, ${at}`,
      x: CPUS,
      y: { label: 'us', log: true },
      lines: linesOf(sweep, ({ waitNs }) => waitNs[quantile] / 1000),
    })),
    {
      id: 'utilisation',
      title: `Share of time that workers work, ${at}`,
      x: CPUS,
      y: { label: 'share', log: false },
      lines: linesOf(sweep, ({ utilisation }) => utilisation),
    },
  ];
}

function rateCurves(sweep: Sweep<Answer>): Curves[] {
  const x = { label: 'asks per CPU and second', log: true };
  return [
    {
      id: 'rate-throughput',
      title: `Decisions per second, ${LARGEST} CPUs`,
      x,
      y: { label: 'decisions per second', log: true },
      lines: linesOf(sweep, ({ decisionsPerSecond }) => decisionsPerSecond),
    },
    ...QUANTILES.map(([quantile, id, name]) => ({
      id: `rate-wait-${id}`,
      title: `Wait for a decision, ${name}, ${LARGEST} CPUs`,
      x,
      y: { label: 'us', log: true },
      lines: linesOf(sweep, ({ waitNs }) => waitNs[quantile] / 1000),
    })),
    {
      id: 'rate-utilisation',
      title: `Share of time that workers work, ${LARGEST} CPUs`,
      x,
      y: { label: 'share', log: false },
      lines: linesOf(sweep, ({ utilisation }) => utilisation),
    },
  ];
}

function kneeCurves(sweep: Sweep<number>): Curves {
  return {
    id: 'knee',
    title: 'Asks per CPU and second up to which 99 % wait under 20 us',
    x: CPUS,
    y: { label: 'asks per CPU and second', log: true },
    lines: linesOf(sweep, (rate) => rate),
  };
}

function figuresOf(design: Design, world: Omit<World, 'seed'>, seeds: readonly number[]): ResultFigure[] {
  const found = seeds.map((seed) =>
    ask({ design, cpus: LARGEST, asksPerCpuPerSecond: RATE }, { ...world, seed }),
  );
  const knees = seeds.map((seed) =>
    kneeOf(design, LARGEST, { ...world, seed, tasks: Math.ceil(world.tasks * KNEE_TASKS_SHARE) }),
  );
  const name = (what: string): string => `${design}: ${what}`;
  return [
    figure(
      name('decisions'),
      'decisions per second',
      found.map((one) => one.decisionsPerSecond),
      'higher',
    ),
    figure(
      name('wait p50'),
      'us',
      found.map((one) => one.waitNs.p50 / 1000),
    ),
    figure(
      name('wait p99'),
      'us',
      found.map((one) => one.waitNs.p99 / 1000),
    ),
    figure(
      name('wait p99.9'),
      'us',
      found.map((one) => one.waitNs.p999 / 1000),
    ),
    figure(
      name('workers working'),
      'share',
      found.map((one) => one.utilisation),
    ),
    figure(
      name('left to the kernel'),
      'share',
      found.map((one) => one.undecidedShare),
    ),
    figure(name('knee'), 'asks per CPU and second', knees, 'higher'),
  ];
}
