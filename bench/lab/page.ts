/** The report as one page of HTML that needs nothing beside it: plots are inline SVG. Pure. */
import { compareResults, type Comparison } from './compare.js';
import type { Plot } from '../../src/observe/plot.js';
import type { Result, ResultFigure } from './result.js';

/** Section is one benchmark's part of the page. */
export interface Section {
  readonly result: Result;
  readonly plots: readonly Plot[];
}

const STYLE = `body{font:15px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;margin:1rem 0}th,td{padding:.15rem .7rem;border-bottom:1px solid #ddd;text-align:right}
th:first-child,td:first-child{text-align:left}svg{max-width:100%;height:auto}figure{margin:1rem 0}
.slower{background:#fdd}.unsure{background:#ffd}small{color:#555}`;

/** pageOf draws the page: an overview against the baseline first, then every result. */
export function pageOf(sections: readonly Section[], baselines: readonly Result[]): string {
  const body = [
    '<h1>nodeland: what was measured</h1>',
    overview(sections, baselines),
    ...sections.map((section) => sectionOf(section, baselineOf(section.result, baselines))),
  ];
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>nodeland: what was measured</title><style>${STYLE}</style></head>
<body>
${body.join('\n')}
</body></html>
`;
}

function overview(sections: readonly Section[], baselines: readonly Result[]): string {
  const rows = sections.flatMap(({ result }) => {
    const baseline = baselineOf(result, baselines);
    return baseline === undefined
      ? []
      : compareResults(baseline, result).map((row) => comparisonRow(result, row));
  });
  if (rows.length === 0) return '<p>There is no baseline for these results.</p>';
  return `<h2>Against the baseline</h2>
<p>Ratios of two things measured in the same run: the speed of the machine cancels out. The interval is a bootstrap's,
95 %, over processes and rounds; of a single process it leaves out what differs from process to process, which
<code>npm run bench -- check</code> takes in.</p>
${table(['benchmark: ratio', 'baseline', 'now', 'time', 'interval', 'verdict'], rows)}`;
}

function comparisonRow({ benchmark }: Result, row: Comparison): string {
  const { verdict } = row;
  const cells = [
    `${benchmark}: ${row.name}`,
    row.baseline.toFixed(2),
    row.fresh.toFixed(2),
    percent(row.slowdown),
    `${percent(row.low)} to ${percent(row.high)}`,
    verdict,
  ];
  return tableRow(cells, verdict === 'slower' ? 'slower' : verdict === 'cannot tell' ? 'unsure' : '');
}

function sectionOf({ result, plots }: Section, baseline: Result | undefined): string {
  const { benchmark, machine, kernel, node, v8, nodeland, commit, date, settings } = result;
  const from =
    commit === null ? 'no commit' : `commit ${commit.hash.slice(0, 12)}${commit.dirty ? ' and changes' : ''}`;
  const options = Object.entries(settings).map(([name, value]) => `${name} ${value}`);
  return `<h2>${escaped(benchmark)}</h2>
<p><small>${escaped(`${date}; ${machine.cpu}, ${machine.cpus} CPUs, ${machine.memoryMiB} MiB; Linux ${kernel}, Node ${node}, V8 ${v8}; nodeland ${nodeland}, ${from}; ${options.join(', ')}`)}</small></p>
${plots.map(({ svg }) => `<figure>${svg}</figure>`).join('\n')}
${figuresTable(result.figures, baseline)}`;
}

function figuresTable(figures: readonly ResultFigure[], baseline: Result | undefined): string {
  if (figures.length === 0) return '';
  const rows = figures.map((figure) => {
    const { name, unit, n, median, min, q1, q3, max } = figure;
    const base = baseline?.figures.find((other) => other.name === name && other.unit === unit);
    const change = base === undefined ? '' : percent(median / base.median - 1);
    const numbers = [median, min, q1, q3, max].map((value) =>
      Number(value.toPrecision(4)).toLocaleString('en'),
    );
    return tableRow([name, unit, ...numbers, String(n), change]);
  });
  const columns = [
    '',
    'unit',
    'median',
    'min',
    'quartile 1',
    'quartile 3',
    'max',
    'n',
    'median against the baseline',
  ];
  return table(columns, rows);
}

function baselineOf({ benchmark }: Result, baselines: readonly Result[]): Result | undefined {
  return baselines.find((baseline) => baseline.benchmark === benchmark);
}

function table(columns: readonly string[], rows: readonly string[]): string {
  const head = columns.map((column) => `<th>${escaped(column)}</th>`).join('');
  return `<table><thead><tr>${head}</tr></thead><tbody>\n${rows.join('\n')}\n</tbody></table>`;
}

function tableRow(cells: readonly string[], kind = ''): string {
  const mark = kind === '' ? '' : ` class="${kind}"`;
  return `<tr${mark}>${cells.map((cell) => `<td>${escaped(cell)}</td>`).join('')}</tr>`;
}

const percent = (share: number): string => `${share >= 0 ? '+' : ''}${(100 * share).toFixed(1)} %`;

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => ENTITIES[character] ?? character);
}
