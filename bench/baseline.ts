/** `npm run bench -- baseline [NAME...]`: makes the newest results the ones that others are compared with. */
import { Command } from 'commander';
import { EXIT, UserError } from '../src/cli/errors.js';
import { BASELINE, readResults, RESULTS, writeResult } from './lab/store.js';

/** baselineCommand copies results to bench/results/baseline/, which is committed. */
export function baselineCommand(): Command {
  return new Command('baseline')
    .description('keeps the newest results, all or those named, in bench/results/baseline/, to be committed')
    .argument('[benchmarks...]', 'check, transport, loop, ...')
    .option('--results <folder>', 'where the results are', RESULTS)
    .action((names: string[], { results: folder }: { results: string }) => {
      const results = readResults(folder);
      const missing = names.filter((name) => !results.some(({ benchmark }) => benchmark === name));
      if (missing.length > 0)
        throw new UserError(`no result of ${missing.join(', ')} in ${folder}: run it first`, EXIT.failure);
      const chosen = results.filter(({ benchmark }) => names.length === 0 || names.includes(benchmark));
      if (chosen.length === 0) throw new UserError(`no results in ${folder}: run a benchmark first`);
      for (const result of chosen) {
        const dirty = result.commit?.dirty === true;
        writeResult(result, BASELINE);
        process.stdout.write(
          `${result.benchmark}, ${result.date}${dirty ? ', measured with uncommitted changes' : ''}\n`,
        );
      }
    });
}
