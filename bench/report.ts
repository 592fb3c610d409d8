/** `npm run bench -- report`: every result there is on one HTML page, with the baseline beside it. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Command } from 'commander';
import { UserError } from '../src/cli/errors.js';
import { pageOf } from './lab/page.js';
import { plotsOf } from './lab/plot.js';
import { BASELINE, readResults, withResults } from './lab/store.js';

interface Options {
  readonly out?: string;
  readonly results: string;
}

/** reportCommand writes the page. */
export function reportCommand(): Command {
  const command = new Command('report')
    .description('one HTML page of all results: plots, tables, and a comparison with the baseline')
    .option('--out <file>', 'where to write it (report.html beside the results)')
    .action(async ({ out, results: folder }: Options) => {
      const results = readResults(folder);
      if (results.length === 0)
        throw new UserError(
          `no results in ${folder}: run a benchmark first, such as npm run bench -- transport`,
        );
      const sections = [];
      for (const result of results) {
        const plots = await plotsOf(result);
        for (const { id, svg } of plots) writeFileSync(join(folder, `${id}.svg`), svg);
        sections.push({ result, plots });
      }
      const file = out ?? join(folder, 'report.html');
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, pageOf(sections, readResults(BASELINE)));
      process.stdout.write(`${file}\n`);
    });
  return withResults(command);
}
