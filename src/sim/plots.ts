/** What a simulation, or a sweep of them, looks like: curves for `nodeland sim --plot`. */
import type { Curves } from '../observe/plot.js';
import type { SimResult } from './result.js';
import type { Percentiles } from './samples.js';
import type { SweepAxis, SweepPoint } from './sweep.js';

const US = { label: 'us', log: true };
/** Nothing is shorter on a logarithmic axis. */
const LEAST_US = 0.01;

const us = (ns: number): number => Math.max(LEAST_US, ns / 1000);

/** The shares of durations that are longer than each percentile. */
const tail = ({ p50Ns, p90Ns, p99Ns, p999Ns }: Percentiles): [number, number][] => [
  [0.5, us(p50Ns)],
  [0.1, us(p90Ns)],
  [0.01, us(p99Ns)],
  [0.001, us(p999Ns)],
];

/** simCurves are one simulation's: how long each group's tasks waited and took, and how busy each domain was. */
export function simCurves({ groups, domains }: SimResult): Curves[] {
  const durations = (id: 'wakeUp' | 'wait' | 'took', name: string, title: string): Curves => ({
    id: name,
    title,
    x: { label: 'share of them that are longer', log: true },
    y: US,
    lines: groups
      .filter((group) => group[id].count > 0)
      .map((group) => ({ name: group.name, points: tail(group[id]) })),
  });
  const shares = (name: string, of: 'busyShare' | 'workerShare'): Curves['lines'][number] => ({
    name,
    points: domains.map((domain, index) => [index, 100 * domain[of]]),
  });
  const all: Curves[] = [
    durations('wakeUp', 'wake-up', 'from waking to running'),
    durations('wait', 'wait', 'from any enqueue to running'),
    durations('took', 'took', 'requests, items, trees and jobs'),
    {
      id: 'domains',
      title: 'how busy each domain was',
      x: { label: 'domain', log: false },
      y: { label: '%', log: false },
      lines: [shares('its CPUs, with tasks', 'busyShare'), shares('its worker', 'workerShare')],
    },
  ];
  return all.filter(({ lines }) => lines.length > 0);
}

/** Values this many times apart are drawn on a logarithmic axis. */
const LOG_FROM = 8;

const SWEPT: readonly {
  readonly id: string;
  readonly title: string;
  readonly y: Curves['y'];
  readonly value: (result: SimResult) => number;
}[] = [
  {
    id: 'wake-up-p99',
    title: 'from waking to running, 99 %',
    y: US,
    value: ({ wakeUp }) => us(wakeUp.p99Ns),
  },
  { id: 'wait-p99', title: 'from any enqueue to running, 99 %', y: US, value: ({ wait }) => us(wait.p99Ns) },
  {
    id: 'done',
    title: 'requests, items, trees and jobs a second',
    y: { label: '1/s', log: false },
    value: ({ groups }) => groups.reduce((sum, { donePerS }) => sum + donePerS, 0),
  },
  {
    id: 'workers',
    title: 'workers at work',
    y: { label: '% of their time', log: false },
    value: ({ workerShare }) => 100 * workerShare,
  },
];

/** sweepCurves are a sweep's, over one of its axes, whose values are numbers; the other axes' values make the lines. */
export function sweepCurves(
  axes: readonly SweepAxis[],
  over: number,
  points: readonly SweepPoint[],
  results: readonly SimResult[],
): Curves[] {
  const lineOf = (point: readonly string[]): string =>
    axes.flatMap(({ name }, axis) => (axis === over ? [] : [`${name} ${point[axis]}`])).join(', ') ||
    axes[over].name;
  const names = [...new Set(points.map(lineOf))];
  const xs = axes[over].values.map(Number);
  const log = Math.min(...xs) > 0 && Math.max(...xs) / Math.min(...xs) >= LOG_FROM;
  return SWEPT.map(({ id, title, y, value }) => ({
    id,
    title,
    x: { label: axes[over].name, log },
    y,
    lines: names.map((name) => ({
      name,
      points: points.flatMap((point, index): [number, number][] =>
        lineOf(point) === name ? [[Number(point[over]), value(results[index])]] : [],
      ),
    })),
  }));
}
