import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { harmless, show } from '../config/issues.js';
import { ControlClient } from '../control/client.js';
import { defaultSocketPath } from '../control/path.js';
import { DURATION_MAX_MS, type Success } from '../control/protocol.js';
import { EXIT, UserError } from './errors.js';

const FILE = 'nodeland.rec';
const MAX_MIB = 64;
/** A replay reads all of it at once. */
const MAX_MIB_LIMIT = 1024;
const LOOK_MS = 250;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

interface RecordOptions {
  readonly output?: string;
  readonly duration?: string;
  readonly maxSize?: string;
  readonly force?: true;
  readonly socket?: string;
}
type Status = NonNullable<Success['recording']>;

/** recordCommand has the running scheduler write down what tasks do. */
export function recordCommand(): Command {
  return new Command('record')
    .description(
      'write down what tasks do under the running scheduler, until Ctrl-C, for `nodeland sim --replay`',
    )
    .option('-o, --output <file>', `where to (${FILE})`)
    .option('--duration <seconds>', 'end after this time')
    .option('--max-size <mib>', `end when the file has so many MiB, 1 to ${MAX_MIB_LIMIT} (${MAX_MIB})`)
    .option('--force', 'put it in the place of a file that is there')
    .option('--socket <path>', 'of the running scheduler (/run/nodeland.sock)')
    .action(async (options: RecordOptions) => {
      const seconds = readNumber('--duration', options.duration, 0.001, DURATION_MAX_MS / 1000);
      const mib = readNumber('--max-size', options.maxSize, 1, MAX_MIB_LIMIT) ?? MAX_MIB;
      const file = resolve(options.output ?? FILE);
      const status = await record(options.socket ?? defaultSocketPath(), {
        command: 'record-start',
        file,
        force: options.force === true,
        maxBytes: Math.floor(mib * 2 ** 20),
        ...(seconds === undefined ? {} : { durationMs: seconds * 1000 }),
      });
      process.stdout.write(summary(file, status));
      if (status.why === 'failed') throw new UserError(`${file}: ${status.error ?? 'could not be written'}`);
    });
}

type StartRequest = Extract<Parameters<ControlClient['ask']>[0], { command: 'record-start' }>;

/** The recording is over when this connection is. */
async function record(socket: string, start: StartRequest): Promise<Status> {
  const client = await ControlClient.connect(socket);
  const ending = new AbortController();
  const stop = (): void => {
    ending.abort();
  };
  const isEnding = (): boolean => ending.signal.aborted;
  for (const signal of SIGNALS) process.on(signal, stop);
  try {
    let status = statusIn(await client.ask(start));
    while (status.why === undefined && !isEnding()) {
      showProgress(status);
      await sleep(LOOK_MS, undefined, { signal: ending.signal }).catch(() => undefined);
      if (!isEnding()) status = statusIn(await client.ask({ command: 'record-status' }));
    }
    return status.why === undefined ? statusIn(await client.ask({ command: 'record-stop' })) : status;
  } finally {
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
    for (const signal of SIGNALS) process.off(signal, stop);
    client.close();
  }
}

function statusIn({ recording }: Success): Status {
  if (recording === undefined) throw new UserError('the answer tells nothing of the recording');
  return recording;
}

const mibText = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
const WHY = {
  stopped: '',
  duration: '',
  size: ', ended by --max-size',
  failed: ', ended by an error',
} as const;

function showProgress({ seconds, records, tasks, bytes }: Status): void {
  if (!process.stderr.isTTY) return;
  const text = `recording: ${seconds.toFixed(0)} s, ${records} records of ${tasks} tasks, ${mibText(bytes)}`;
  process.stderr.write(`\r\x1b[K${text}`);
}

function summary(file: string, { seconds, records, tasks, lost, bytes, why }: Status): string {
  const counts = `${records} records of ${tasks} tasks, ${lost} lost, ${mibText(bytes)}`;
  return `${file}: ${counts} in ${seconds.toFixed(1)} s${why === undefined ? '' : WHY[why]}\n`;
}

function readNumber(option: string, text: string | undefined, min: number, max: number): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d{1,9}(?:\.\d{1,9})?$/.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max) return value;
  const expected = `${option}: expected a number from ${min} to ${max}, found ${show(text)}`;
  throw new UserError(harmless(expected), EXIT.usage);
}
