/** Outside: boots the machine, and passes on what is told in it. */
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { packageRoot } from '../../cli/package-info.js';
import { runInSandbox } from '../../sandbox/run.js';
import type { Subject } from '../check.js';
import type { Report } from '../run.js';
import type { GuestOrder } from './main.js';

const TIMEOUT_S = 900;

/** GuestTest is what to test in the machine. */
export interface GuestTest {
  /** As `nodeland run --policy` takes it. */
  readonly policy: string;
  readonly options: readonly string[];
  readonly subject: Subject;
  readonly properties?: boolean;
  /** Called with each result as it comes. */
  readonly note: (report: Report) => void;
}

/**
 * runInGuest boots two CPUs whose time counts instructions, so that a busy host changes nothing, and runs the checks there.
 *
 * @throws SandboxError when there is no machine, or it ends early
 */
export async function runInGuest({ policy, options, subject, properties, note }: GuestTest): Promise<void> {
  const { weights } = subject.policy;
  const order: GuestOrder = { policy, options, weights, properties: properties === true };
  const main = join(packageRoot(), 'lib/src/conformance/guest/main.js');
  const lines = new LineReader((line) => {
    if (line.startsWith('{')) note(JSON.parse(line) as Report);
  });
  process.stderr.write('booting a machine; each check takes about a minute\n');
  await runInSandbox({
    command: [process.execPath, main, JSON.stringify(order)],
    cpus: 2,
    nodes: 1,
    accel: 'deterministic',
    timeoutSeconds: TIMEOUT_S,
    bootTimeoutSeconds: TIMEOUT_S / 2,
    stdout: lines,
    stderr: process.stderr,
  });
}

/** LineReader hands on whole lines. */
class LineReader extends Writable {
  private rest = '';

  constructor(private readonly take: (line: string) => void) {
    super();
  }

  override _write(chunk: Buffer | string, _encoding: BufferEncoding, done: () => void): void {
    const lines = (this.rest + chunk.toString()).split('\n');
    this.rest = lines.pop() ?? '';
    lines.forEach(this.take);
    done();
  }
}
