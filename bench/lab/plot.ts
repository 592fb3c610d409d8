/** Plots from results. */
import type { TopLevelSpec } from 'vega-lite';
import { curvesSpec, loadVega, type Plot, PLOT_CONFIG, PLOT_WIDTH, scaleOf } from '../../src/observe/plot.js';
import type { Result, ResultFigure } from './result.js';

/** Figures this many times apart are drawn on a logarithmic axis. */
const LOG_FROM = 50;

/** plotsOf draws a result: one plot per unit of its figures, then its curves. Empty where vega is not installed. */
export async function plotsOf(result: Result): Promise<Plot[]> {
  const draw = await loadVega();
  // A package installed without its development dependencies measures all the same.
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
    width: PLOT_WIDTH - 120,
    height: { step: 18 },
    background: 'white',
    config: PLOT_CONFIG,
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
