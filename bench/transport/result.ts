/** The transport's result for bench/results/. */
import { figure, type Measurement, ratioFigure, type ResultFigure } from '../lab/result.js';
import type { Costs } from '../transport.js';
import type { RoundTrip } from './round-trip.js';
import { type Cost, STEPS } from './round.js';

const SIDES: Readonly<Record<keyof Costs, string>> = {
  fifo: 'nodeland fifo',
  vtime: 'nodeland vtime',
  same: 'libbpf, same job',
  bare: 'libbpf, bare',
  byPid: 'libbpf, by pid',
  singly: 'libbpf, singly',
};

/** transportMeasurement keeps each side's costs, the round trip, and the ratios with their rounds. */
export function transportMeasurement(
  costs: Costs,
  trip: RoundTrip | null,
  settings: Measurement['settings'],
): Measurement {
  const sides = (Object.keys(SIDES) as (keyof Costs)[]).flatMap((side) =>
    ([...STEPS, 'total'] as const).map((step) =>
      figure(`${SIDES[side]}: ${step}`, 'ns per task', valuesOf(costs[side], step)),
    ),
  );
  const ratio = (name: string, by: keyof Costs, of: keyof Costs): ResultFigure =>
    ratioFigure(name, [costs[by].map(({ total }, round) => total / costs[of][round].total)]);
  return {
    benchmark: 'transport',
    settings,
    figures: [
      ...sides,
      ...(trip === null ? [] : tripFigures(trip)),
      ratio('libbpf, same job / nodeland fifo', 'same', 'fifo'),
      ratio('libbpf, same job / nodeland vtime', 'same', 'vtime'),
      ratio('libbpf, singly / nodeland fifo', 'singly', 'fifo'),
    ],
  };
}

const valuesOf = (costs: readonly Cost[], step: keyof Cost): number[] => costs.map((cost) => cost[step]);

/** One run's quantiles: each is one value. */
function tripFigures({ p50, p99, p999 }: RoundTrip): ResultFigure[] {
  const named = { p50, p99, 'p99.9': p999 };
  return Object.entries(named).map(([name, ns]) => figure(`round trip to another core: ${name}`, 'ns', [ns]));
}
