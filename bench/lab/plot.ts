/** Plots from results, as SVG, by vega-lite. The library is a development dependency, loaded when first needed. */
import type { TopLevelSpec } from 'vega-lite';
import type { Curves, Result, ResultFigure } from './result.js';

/** Plot is one diagram; `id` names its file. */
export interface Plot {
  readonly id: string;
  readonly title: string;
  readonly svg: string;
}

/** Figures this many times apart are drawn on a logarithmic axis. */
const LOG_FROM = 50;
const WIDTH = 560;

/** plotsOf draws a result: one plot per unit of its figures, then its curves. Empty where vega is not installed. */
export async function plotsOf(result: Result): Promise<Plot[]> {
  const draw = await loadVega();
  if (draw === undefined) return [];
  const units = [...new Set(result.figures.map(({ unit }) => unit))];
  const plots: Plot[] = [];
  for (const unit of units) {
    const figures = result.figures.filter((figure) => figure.unit === unit);
    const id = `${result.benchmark}-${unit.replace(/[^a-z0-9]+/gi, '-').replace(/^-|-$/g, '')}`;
    const title = `${result.benchmark}, ${unit}`;
    plots.push({ id, title, svg: await draw(figuresSpec(title, figures)) });
  }
  for (const curves of result.curves) {
    const id = `${result.benchmark}-${curves.id}`;
    plots.push({ id, title: curves.title, svg: await draw(curvesSpec(curves)) });
  }
  return plots;
}

type Draw = (spec: TopLevelSpec) => Promise<string>;

async function loadVega(): Promise<Draw | undefined> {
  try {
    const [vega, lite] = await Promise.all([import('vega'), import('vega-lite')]);
    return async (spec) => {
      const svg = await new vega.View(vega.parse(lite.compile(spec).spec), { renderer: 'none' }).toSVG();
      // Hundredths of a pixel are enough.
      return svg.replace(/(\.\d\d)\d+/g, '$1');
    };
  } catch (error) {
    // A package installed without its development dependencies measures all the same.
    if (error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

const CONFIG = {
  aria: false,
  view: { stroke: null },
  font: 'sans-serif',
  axis: { labelLimit: 500, tickCount: 6 },
} as const;

const scaleOf = (log: boolean): { type: 'log' } | { type: 'linear' } => ({ type: log ? 'log' : 'linear' });

/** A line from the smallest to the largest, a bar from quartile to quartile, a tick at the median. */
function figuresSpec(title: string, figures: readonly ResultFigure[]): TopLevelSpec {
  const least = Math.min(...figures.map(({ min }) => min));
  const most = Math.max(...figures.map(({ max }) => max));
  const log = least > 0 && most / least > LOG_FROM;
  const unit = figures[0]?.unit ?? '';
  const x = (field: string) => ({ field, type: 'quantitative', title: unit, scale: scaleOf(log) }) as const;
  const y = { field: 'name', type: 'nominal', sort: null, title: null } as const;
  return {
    title,
    width: WIDTH - 120,
    height: { step: 18 },
    background: 'white',
    config: CONFIG,
    data: { values: figures.map(({ runs: _runs, ...figure }) => figure) },
    layer: [
      { mark: { type: 'rule', color: '#888' }, encoding: { y, x: x('min'), x2: { field: 'max' } } },
      {
        mark: { type: 'bar', height: 8, color: '#9ecae1' },
        encoding: { y, x: x('q1'), x2: { field: 'q3' } },
      },
      { mark: { type: 'tick', thickness: 3, size: 14, color: '#08519c' }, encoding: { y, x: x('median') } },
    ],
  };
}

/** Of a logarithmic axis, ticks only at the values themselves or, where those are many, at powers of ten. */
function ticksAt(log: boolean, values: readonly number[]): { values?: number[]; format?: string } {
  if (!log) return {};
  const distinct = [...new Set(values)];
  if (distinct.length <= 10) return { values: distinct, format: ',~f' };
  const [least, most] = [Math.min(...values), Math.max(...values)].map(Math.log10);
  const first = Math.floor(least);
  return {
    values: Array.from({ length: Math.ceil(most) - first + 1 }, (_, power) => 10 ** (first + power)),
    format: ',~r',
  };
}

function curvesSpec({ title, x, y, lines }: Curves): TopLevelSpec {
  const points = lines.flatMap((line) => line.points);
  const [xs, ys] = [points.map(([value]) => value), points.map(([, value]) => value)];
  return {
    title,
    width: WIDTH - 180,
    height: 260,
    background: 'white',
    config: CONFIG,
    data: { values: lines.flatMap(({ name, points }) => points.map(([px, py]) => ({ name, x: px, y: py }))) },
    mark: { type: 'line', point: { size: 20 }, strokeWidth: 1.5 },
    encoding: {
      x: {
        field: 'x',
        type: 'quantitative',
        title: x.label,
        scale: scaleOf(x.log),
        axis: ticksAt(x.log, xs),
      },
      y: {
        field: 'y',
        type: 'quantitative',
        title: y.label,
        scale: scaleOf(y.log),
        axis: ticksAt(y.log, ys),
      },
      color: {
        field: 'name',
        type: 'nominal',
        sort: null,
        title: null,
        scale: { domain: lines.map(({ name }) => name), scheme: 'tableau10' },
      },
    },
  };
}
