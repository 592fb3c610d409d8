/** libbpf's side: the program bench/libbpf-pair.c, made when it is first needed, told its rounds line by line. */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { EXIT, UserError } from '../../src/cli/errors.js';
import type { BatchTimes, RoundSize, Side } from './round.js';

/** From dist/bench/transport. */
const SOURCES = fileURLToPath(new URL('../../../bench', import.meta.url));
const BUILT = fileURLToPath(new URL('../../../build/bench', import.meta.url));

/** buildPair makes the program and its BPF object if they are not up to date. @throws UserError */
export function buildPair(): void {
  const { status, stdout, stderr, error } = spawnSync('make', ['--no-print-directory', '-s', '-C', SOURCES], {
    encoding: 'utf8',
  });
  if (status === 0) return;
  const why = error?.message ?? `${stdout}${stderr}`.trim();
  throw new UserError(
    `bench/libbpf-pair cannot be built (npm run setup installs what it needs): ${why}`,
    EXIT.unavailable,
  );
}

/**
 * LibbpfJob is what the kernel half does beside carrying records: `same` nodeland's bookkeeping and checks, `bare` nothing,
 * `byPid` those of `same`, and the task is found by its pid; `singly` those of `same`, one decision per drain.
 */
export type LibbpfJob = 'same' | 'bare' | 'byPid' | 'singly';

const JOB_NUMBERS: Readonly<Record<LibbpfJob, number>> = { same: 0, bare: 1, byPid: 2, singly: 3 };

/** LibbpfProcess runs rounds through libbpf's ring buffers. */
export class LibbpfProcess {
  private constructor(
    private readonly child: ChildProcessWithoutNullStreams,
    private readonly lines: AsyncIterator<string, undefined>,
    private readonly complaint: () => string,
    /** What libbpf calls itself: `v1.4`. */
    readonly version: string,
  ) {}

  static async start(cpu: number): Promise<LibbpfProcess> {
    const child = spawn(`${BUILT}/libbpf-pair`, [`${BUILT}/libbpf-pair.bpf.o`, String(cpu)]);
    let said = '';
    child.stderr.on('data', (text: Buffer) => {
      said += text.toString();
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const complaint = (): string => said.trim();
    const ready = await nextLine(lines, complaint);
    return new LibbpfProcess(child, lines, complaint, ready.replace(/^ready /, ''));
  }

  /** side is the rounds of one job. */
  side(job: LibbpfJob): Side {
    return async ({ batches, tasksPerBatch }: RoundSize) => {
      this.child.stdin.write(`${batches} ${tasksPerBatch} ${JOB_NUMBERS[job]}\n`);
      const line = await nextLine(this.lines, this.complaint);
      return line.trim().split(' ').map(toTimes);
    };
  }

  async close(): Promise<void> {
    const gone = once(this.child, 'exit');
    this.child.stdin.end();
    await gone;
  }
}

async function nextLine(lines: AsyncIterator<string, undefined>, complaint: () => string): Promise<string> {
  const next = await lines.next();
  if (next.done !== true) return next.value;
  throw new Error(`libbpf-pair ended: ${complaint()}`);
}

function toTimes(text: string): BatchTimes {
  const times = text.split(',').map(Number);
  if (times.length !== 3 || times.some(Number.isNaN)) throw new Error(`libbpf-pair said "${text}"`);
  const [push, decide, drain] = times;
  return [push, decide, drain];
}
