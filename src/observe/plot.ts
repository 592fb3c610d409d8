/** Plots as SVG, by vega-lite. The library is a development dependency, loaded when first needed. */
import type { TopLevelSpec } from 'vega-lite';

/** Plot is one diagram; `id` names its file. */
export interface Plot {
  readonly id: string;
  readonly title: string;
  readonly svg: string;
}

/** Curves is one diagram: lines over one x axis. Points of a logarithmic axis are above 0. */
export interface Curves {
  /** A short name for files: letters, digits and dashes. */
  readonly id: string;
  readonly title: string;
  readonly x: AxisScale;
  readonly y: AxisScale;
  readonly lines: readonly {
    readonly name: string;
    readonly points: readonly (readonly [number, number])[];
  }[];
}

interface AxisScale {
  readonly label: string;
  readonly log: boolean;
}

export const PLOT_WIDTH = 560;

/** Draw makes SVG of a specification. */
export type Draw = (spec: TopLevelSpec) => Promise<string>;

/** loadVega resolves to undefined where vega is not installed. */
export async function loadVega(): Promise<Draw | undefined> {
  try {
    const [vega, lite] = await Promise.all([import('vega'), import('vega-lite')]);
    return async (spec) => {
      const svg = await new vega.View(vega.parse(lite.compile(spec).spec), { renderer: 'none' }).toSVG();
      // Hundredths of a pixel are enough.
      return svg.replace(/(\.\d\d)\d+/g, '$1');
    };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

export const PLOT_CONFIG = {
  aria: false,
  view: { stroke: null },
  font: 'sans-serif',
  axis: { labelLimit: 500, tickCount: 6 },
} as const;

/** scaleOf is the scale of an axis. */
export const scaleOf = (log: boolean): { type: 'log' } | { type: 'linear' } => ({
  type: log ? 'log' : 'linear',
});

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

/** curvesSpec specifies the diagram of curves. */
export function curvesSpec({ title, x, y, lines }: Curves): TopLevelSpec {
  const points = lines.flatMap((line) => line.points);
  const [xs, ys] = [points.map(([value]) => value), points.map(([, value]) => value)];
  return {
    title,
    width: PLOT_WIDTH - 180,
    height: 260,
    background: 'white',
    config: PLOT_CONFIG,
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
