/** Tables, JSON and the result file from what was measured: a table for each workload. Pure. */
import { alignTable } from '../../src/observe/report.js';
import { figure, type FigureKind, type ResultFigure, ratioFigure } from '../lab/result.js';
import { type Figure, figureOf, figureText } from '../transport/statistics.js';
import { advantagesOf, failuresOf, type Missing, type Outcome, valuesOf } from './outcome.js';
import { EEVDF } from './scheduler.js';
import type { Workload } from './workload.js';

/** Comparison is all that is told of a run. */
export interface Comparison {
  readonly cpus: number;
  readonly rounds: number;
  readonly schedulers: readonly string[];
  readonly workloads: readonly Workload[];
  readonly outcomes: readonly Outcome[];
  readonly missing: readonly Missing[];
}

/** tablesText shows each workload's figures beside their ratio to EEVDF's, then who is not among them and why. */
export function tablesText(comparison: Comparison): string {
  const { cpus, workloads, outcomes, missing } = comparison;
  const parts = workloads.map((workload) => tableOf(comparison, workload.name, workload.figures(cpus)));
  const notes = [
    ...failuresOf(outcomes).map(({ name, why }) => `failed: ${name}: ${why}`),
    ...missing.map(({ name, why }) => `missing: ${name}: ${why}`),
  ];
  return [...parts, ...(notes.length === 0 ? [] : [notes.join('\n')])].join('\n\n');
}

function tableOf(
  { rounds, schedulers, outcomes }: Comparison,
  name: string,
  kinds: readonly FigureKind<string>[],
): string {
  const header = [`${name}, rounds: ${rounds}`, 'median (min..max)', `to ${EEVDF}`];
  const rows = kinds.flatMap(({ key, label }) => [
    [label],
    ...schedulers.map((scheduler) => [`  ${scheduler}`, ...cells(outcomes, scheduler, key)]),
  ]);
  return alignTable([header, ...rows]);
}

function cells(outcomes: readonly Outcome[], scheduler: string, key: string): [string, string] {
  const [base, own] = [figureUnder(outcomes, EEVDF, key), figureUnder(outcomes, scheduler, key)];
  if (own === undefined) return ['failed', '-'];
  const ratio = scheduler === EEVDF || base === undefined ? '' : (own.median / base.median).toFixed(2);
  return [figureText(own), ratio];
}

function figureUnder(outcomes: readonly Outcome[], scheduler: string, key: string): Figure | undefined {
  const values = [...valuesOf(outcomes, scheduler, key).values()];
  return values.length === 0 ? undefined : figureOf(values);
}

/** jsonText gives each figure under each scheduler by name, and who is not among them. */
export function jsonText({ cpus, schedulers, workloads, outcomes, missing }: Comparison): string {
  const figures = workloads
    .flatMap((workload) => workload.figures(cpus))
    .map(({ key }) => [
      key,
      Object.fromEntries(
        schedulers.map((scheduler) => [scheduler, figureUnder(outcomes, scheduler, key) ?? null]),
      ),
    ]);
  return JSON.stringify({ ...Object.fromEntries(figures), failed: failuresOf(outcomes), missing }, null, 2);
}

/** figuresOf is what the result file keeps: every figure, and every round's advantage over EEVDF. */
export function figuresOf({ cpus, schedulers, workloads, outcomes }: Comparison): ResultFigure[] {
  return workloads
    .flatMap((workload) => workload.figures(cpus))
    .flatMap(({ key, label, unit, better }) =>
      schedulers.flatMap((scheduler) => {
        const own = valuesOf(outcomes, scheduler, key);
        if (own.size === 0) return [];
        const absolute = figure(`${label}: ${scheduler}`, unit, [...own.values()], better);
        const advantages = advantagesOf(valuesOf(outcomes, EEVDF, key), own, better);
        if (scheduler === EEVDF || advantages.length === 0) return [absolute];
        return [absolute, ratioFigure(`${label}: ${scheduler}'s advantage`, [advantages])];
      }),
    );
}
