/** Boots a machine, runs one of the scripts in test/sandbox/guest/ there, and gives its records to the tests. */
import { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

import type { CounterName, WorkerStatName } from '../../src/observe/snapshot.js';
import { sandboxAvailable } from '../../src/sandbox/available.js';
import { SandboxError } from '../../src/sandbox/errors.js';
import { runInSandbox, type SandboxOptions, type SandboxResult } from '../../src/sandbox/run.js';
import { TailBuffer } from '../../src/sandbox/tail-buffer.js';

/** A program that ran to its end in the machine. */
export interface ProgramRecord {
  readonly command: string;
  /** null when it took too long. */
  readonly exitCode: number | null;
  readonly seconds: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** One run of `nodeland run`, as test/sandbox/guest/scheduler.mjs writes it down. */
export interface RunRecord {
  readonly args: readonly string[];
  readonly isAttached: boolean;
  /** Until it was seen to be attached, and what it says of that itself. */
  readonly attachedMs?: number;
  readonly startMs?: number;
  readonly exitCode: number | null;
  /** It did not end when told to, and was killed. */
  readonly hung: boolean;
  readonly plan: readonly {
    readonly name: string;
    readonly cpus: readonly number[];
    readonly workerCpu: number;
  }[];
  readonly exitReason: string | null;
  readonly counters: readonly (Readonly<Record<CounterName, number>> & {
    readonly worker: Readonly<Record<WorkerStatName, number>>;
  })[];
  /** Warnings and errors in its log. */
  readonly problems: readonly { readonly msg: string; readonly level: number }[];
  readonly placements: readonly { readonly comm: string; readonly cpu: number; readonly allowed: string }[];
  readonly loads: readonly Omit<ProgramRecord, 'stdout'>[];
  readonly summary: string;
  readonly stray: string;
  readonly stateDuring: string;
  readonly switchAll: string;
  readonly stateAfter: string;
  readonly compactionBefore: string;
  readonly compactionDuring: string;
  readonly compactionAfter: string;
}

export type GuestOptions = Partial<SandboxOptions> & {
  /** A machine of which nothing was heard for so long, in host time, hangs and is ended. Default: never. */
  readonly silenceLimitS?: number | undefined;
};

/** For a script of some minutes on a machine whose clock counts instructions. */
export const LONG_AND_DETERMINISTIC = { accel: 'deterministic', timeoutSeconds: 1500 } as const;

/** LastWords keeps the last of what a machine says, and aborts when it says nothing for too long. */
class LastWords extends Writable {
  private readonly tail = new TailBuffer(4 << 10);
  private readonly silence = new AbortController();
  private readonly timer: NodeJS.Timeout | undefined;

  constructor(limitS: number | undefined) {
    super();
    if (limitS !== undefined) this.timer = setTimeout(() => this.silence.abort(), limitS * 1000);
  }

  get signal(): AbortSignal {
    return this.silence.signal;
  }

  text(): string {
    return this.tail.text().replaceAll('\r', '');
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.timer?.refresh();
    this.tail.push(chunk);
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.timer);
    done(error);
  }
}

/** Guest is what a script in the machine told. */
export class Guest {
  private constructor(
    private readonly records: ReadonlyMap<string, unknown>,
    private readonly result: SandboxResult,
  ) {}

  /** boot runs a script and resolves when the machine is gone. @throws Error when the script failed, with its output */
  static async boot(script: string, args: readonly string[], options: GuestOptions = {}): Promise<Guest> {
    const file = fileURLToPath(new URL(`guest/${script}`, import.meta.url));
    const command = [process.execPath, file, ...args];
    const { silenceLimitS, ...machine } = options;
    const heard = new LastWords(silenceLimitS);
    const { signal } = heard;
    const streams = { stdout: heard, stderr: heard, console: heard, signal };
    const run = runInSandbox({ cpus: 4, nodes: 2, timeoutSeconds: 540, ...machine, ...streams, command });
    const result = await run
      .catch((error: unknown) => {
        // How far it came, and on its console why it panicked.
        if (error instanceof SandboxError) {
          const why = signal.aborted ? `silent for ${String(silenceLimitS)} s` : error.message;
          error.message = `${why}, after:\n${heard.text()}`;
        }
        throw error;
      })
      .finally(() => heard.destroy());
    if (result.exitCode !== 0) {
      throw new Error(`${script} ended with ${result.exitCode}:\n${result.output}\n${result.consoleTail}`);
    }
    const lines = result.stdout.split('\n').filter((line) => line.startsWith('{'));
    const records = lines.map((line) => JSON.parse(line) as { name: string });
    return new Guest(new Map(records.map((record) => [record.name, record])), result);
  }

  /** run is the record of one `nodeland run`; what the script added to it is there as well. */
  run(name: string): RunRecord {
    return this.record(name) as RunRecord;
  }

  program(name: string): ProgramRecord {
    return this.record(name) as ProgramRecord;
  }

  /** record is any other record of the script. */
  record(name: string): unknown {
    const record = this.records.get(name);
    if (record === undefined)
      throw new Error(`the machine told nothing of "${name}":\n${this.result.output}`);
    return record;
  }
}

/** whyNoSandbox says why there is no machine with this kernel; undefined when there is. */
export function whyNoSandbox(kernel?: string): string | undefined {
  const available = sandboxAvailable(kernel);
  return available.ok ? undefined : available.reason;
}

/** Minor and major page faults of each worker after attach, by the summary's last line. */
export function pageFaultsOf({ summary }: RunRecord): { minor: number; major: number }[] {
  const line = /^page faults after attach.*$/m.exec(summary)?.[0] ?? '';
  return [...line.matchAll(/(\d+)\+(\d+)/g)].map(([, minor, major]) => ({
    minor: Number(minor),
    major: Number(major),
  }));
}

/** How many wake-ups and ends of slices of user tasks a run saw, in all domains. */
export function totalOf({ counters }: RunRecord, ...names: CounterName[]): number {
  return counters.reduce((sum, domain) => sum + names.reduce((part, name) => part + domain[name], 0), 0);
}
