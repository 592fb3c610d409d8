/** What every benchmark leaves behind: one schema for all of them, so that plots, pages and comparisons know one thing. */
import { z } from 'zod';
import type { Curves } from '../../src/observe/plot.js';
import { quantileOf } from '../transport/statistics.js';

const number = z.number();

const figureSchema = z.strictObject({
  name: z.string(),
  /** `ns`, `1/s`, ...; `ratio` of two things measured in the same run, which another machine's speed does not change. */
  unit: z.string(),
  better: z.enum(['lower', 'higher']),
  n: z.int().positive(),
  median: number,
  min: number,
  /** The first and third quartile. */
  q1: number,
  q3: number,
  max: number,
  /** Every round's value, one list per process that measured. Kept for what is compared with a baseline. */
  runs: z.array(z.array(number)).optional(),
});

const axisSchema = z.strictObject({ label: z.string(), log: z.boolean() });

const curvesSchema: z.ZodType<Curves> = z.strictObject({
  id: z.string().regex(/^[a-z0-9-]+$/),
  title: z.string(),
  x: axisSchema,
  y: axisSchema,
  lines: z.array(z.strictObject({ name: z.string(), points: z.array(z.tuple([number, number])) })),
});

/** resultSchema is the file format of bench/results/NAME.json. No host name and no path belongs in it. */
export const resultSchema = z.strictObject({
  schema: z.literal(1),
  benchmark: z.string().regex(/^[a-z0-9-]+$/),
  date: z.iso.datetime(),
  machine: z.strictObject({ cpu: z.string(), cpus: z.int().positive(), memoryMiB: z.int().positive() }),
  kernel: z.string(),
  node: z.string(),
  v8: z.string(),
  nodeland: z.string(),
  /** null outside a git checkout. */
  commit: z.strictObject({ hash: z.string(), dirty: z.boolean() }).nullable(),
  /** The benchmark's options, and versions of what it measured. */
  settings: z.record(z.string(), z.union([z.string(), number, z.boolean()])),
  figures: z.array(figureSchema),
  curves: z.array(curvesSchema),
});

/** Result is one benchmark's run. */
export type Result = z.infer<typeof resultSchema>;

/** ResultFigure is one measured quantity over the rounds. */
export type ResultFigure = z.infer<typeof figureSchema>;

/** Measurement is what a benchmark knows of its own result; the rest is the machine's. */
export interface Measurement {
  readonly benchmark: string;
  readonly settings: Result['settings'];
  readonly figures: readonly ResultFigure[];
  readonly curves?: readonly Curves[];
}

/** FigureKind is one of the figures that a benchmark takes in every round, and how it is shown; less is better unless it says. */
export interface FigureKind<Key extends string> {
  readonly key: Key;
  readonly label: string;
  readonly unit: string;
  readonly better?: ResultFigure['better'];
}

const rounded = (value: number): number => Number(value.toPrecision(6));

/** figure sums up the rounds of one process. */
export function figure(
  name: string,
  unit: string,
  values: readonly number[],
  better: ResultFigure['better'] = 'lower',
): ResultFigure {
  return figureOfRuns(name, unit, [values], better);
}

/** ratioFigure is one whose rounds are kept, to be compared with a baseline's. More is better. */
export function ratioFigure(name: string, runs: readonly (readonly number[])[]): ResultFigure {
  return {
    ...figureOfRuns(name, 'ratio', runs, 'higher'),
    runs: runs.map((values) => values.map(rounded)),
  };
}

function figureOfRuns(
  name: string,
  unit: string,
  runs: readonly (readonly number[])[],
  better: ResultFigure['better'],
): ResultFigure {
  const values = runs.flat();
  const at = (share: number): number => rounded(quantileOf(values, share));
  return {
    name,
    unit,
    better,
    n: values.length,
    median: at(0.5),
    min: at(0),
    q1: at(0.25),
    q3: at(0.75),
    max: at(1),
  };
}
