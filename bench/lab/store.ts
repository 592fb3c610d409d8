/** bench/results/: the newest result of each benchmark, its plots, and the committed baseline. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import { EXIT, UserError } from '../../src/cli/errors.js';
import { packageRoot } from '../../src/cli/package-info.js';
import { plotsOf } from './plot.js';
import { provenance } from './provenance.js';
import { type Measurement, type Result, resultSchema } from './result.js';

/** RESULTS is where results go unless told otherwise; git ignores it, except for {@link BASELINE}. */
export const RESULTS = join(packageRoot(), 'bench', 'results');
/** BASELINE holds the results others are compared with. */
export const BASELINE = join(RESULTS, 'baseline');

/** withResults adds the option that says where a result goes. */
export function withResults(command: Command): Command {
  return command.option('--results <folder>', 'where the result and its plots are written', RESULTS);
}

/** saveResult writes NAME.json and the plots NAME-*.svg; the plots only where the plotting library is installed. */
export async function saveResult(measurement: Measurement, folder: string): Promise<Result> {
  const result = completed(measurement);
  writeResult(result, folder);
  for (const { id, svg } of await plotsOf(result)) writeFileSync(join(folder, `${id}.svg`), svg);
  return result;
}

/** completed adds to a measurement what the machine knows. */
export function completed(measurement: Measurement): Result {
  return resultSchema.parse({
    schema: 1,
    date: new Date().toISOString(),
    ...provenance(),
    curves: [],
    ...measurement,
  });
}

/** writeResult writes a result's JSON into a folder, which it makes. */
export function writeResult(result: Result, folder: string): void {
  mkdirSync(folder, { recursive: true });
  const text = JSON.stringify(resultSchema.parse(result), null, 1);
  // The rounds of a run on one line: a baseline is read, and compared by git.
  const short = text.replace(/\[[\d\s.,e+-]*\]/g, (list) => list.replace(/\s+/g, ' '));
  writeFileSync(join(folder, `${result.benchmark}.json`), `${short}\n`);
}

/** readResults gives the results of a folder by name; none where there is no folder. @throws UserError */
export function readResults(folder: string): Result[] {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => name.endsWith('.json'));
  return names.sort().map((name) => readResult(join(folder, name)));
}

/** readResult reads one result. @throws UserError when it is none. */
export function readResult(file: string): Result {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new UserError(`${file}: ${cause instanceof Error ? cause.message : String(cause)}`, EXIT.config, {
      cause,
    });
  }
  const parsed = resultSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new UserError(`${file} is no result of this version:\n${z.prettifyError(parsed.error)}`, EXIT.config);
}
