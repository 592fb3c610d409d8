/**
 * `npm run bench -- start`: how long `nodeland run` takes from its command to the attachment, on this machine. The attachment
 * itself is left out, for a benchmark does not take a machine over; without sched_ext the loopback's object is loaded in the
 * place of the scheduler's. In turn with the start of Node alone.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { EXIT, UserError } from '../src/cli/errors.js';
import { wholeNumber } from '../src/cli/whole-number.js';
import { schedExtState } from '../src/supervisor/preflight.js';
import { figure, type Measurement, ratioFigure } from './lab/result.js';
import { saveResult, withResults } from './lab/store.js';
import { type Figure, figureText } from './transport/statistics.js';

const CHILD = fileURLToPath(new URL('./start-child.js', import.meta.url));
const TIMEOUT_MS = 60_000;

interface Options {
  readonly rounds: number;
  readonly domains: string;
  readonly policy: string;
  readonly results: string;
}

/** startBenchCommand is `bench start`. */
export function startBenchCommand(): Command {
  return withResults(
    new Command('start')
      .description('milliseconds from the command `nodeland run` to the attachment, which is left out')
      .option('--rounds <n>', 'rounds', wholeNumber(1, 1000), 15)
      .option('--domains <spec>', 'as for nodeland run', 'node')
      .option('--policy <policy>', 'as for nodeland run', 'vtime')
      .action(async (options: Options) => {
        const measurement = measure(options);
        const [{ n, median, min, max }, node] = measurement.figures;
        process.stdout.write(
          `nodeland run to the attachment  ${figureText(rounded({ n, median, min, max }))} ms\n` +
            `node -e 0                       ${figureText(rounded(node))} ms\n` +
            (isWhole()
              ? ''
              : 'without sched_ext here: the loopback object was loaded in place of the scheduler\n') +
            'the attachment itself is not part of it\n',
        );
        await saveResult(measurement, options.results);
      }),
  );
}

const rounded = ({ n, median, min, max }: Figure): Figure => ({
  n,
  median: Math.round(median),
  min: Math.round(min),
  max: Math.round(max),
});

const isWhole = (): boolean => schedExtState() !== undefined;

function measure({ rounds, domains, policy }: Options): Measurement {
  const folder = mkdtempSync(join(tmpdir(), 'nodeland-start-'));
  try {
    const args = ['run', '--domains', domains, '--policy', policy, '--duration', '0.05'];
    const startMs: number[] = [];
    const nodeMs: number[] = [];
    // The first round warms the disk's cache up.
    for (let round = 0; round <= rounds; round++) {
      const start = startOf([...args, '--socket', join(folder, 'socket')]);
      const beginMs = performance.now();
      spawnSync(process.execPath, ['-e', '0']);
      if (round === 0) continue;
      startMs.push(start);
      nodeMs.push(performance.now() - beginMs);
    }
    return {
      benchmark: 'start',
      settings: { rounds, domains, policy, object: isWhole() ? 'nodeland' : 'loopback' },
      figures: [
        figure('run to the attachment', 'ms', startMs),
        figure('node alone', 'ms', nodeMs),
        ratioFigure('node alone / run to the attachment', [nodeMs.map((ms, round) => ms / startMs[round])]),
      ],
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function startOf(args: readonly string[]): number {
  const { stdout, stderr, error } = spawnSync(process.execPath, [CHILD, ...args], {
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
  });
  const startMs = /"startMs":(\d+)/.exec(stdout + stderr)?.[1];
  if (startMs === undefined) {
    throw new UserError(
      `nodeland run did not get as far as its attachment: ${error?.message ?? stderr}`,
      EXIT.failure,
    );
  }
  return Number(startMs);
}
