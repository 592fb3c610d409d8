import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { Duplex, type Writable } from 'node:stream';
import { EndMark } from './end-mark.js';
import { SandboxError } from './errors.js';
import { findProgram } from './programs.js';
import { CHANNELS, INITRAMFS_FD } from './qemu-args.js';
import { TailBuffer } from './tail-buffer.js';

/** A QEMU command line and what to do with the machine it makes. */
export interface MachineRun {
  readonly qemu: string;
  readonly args: readonly string[];
  readonly initramfsFd: number;
  readonly endMark: string;
  readonly bootTimeoutSeconds: number;
  readonly timeoutSeconds?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly stdout?: Writable | undefined;
  readonly stderr?: Writable | undefined;
  readonly console?: Writable | undefined;
}

export interface MachineResult {
  readonly exitCode: number;
  readonly output: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly consoleTail: string;
  readonly bootSeconds: number;
  readonly seconds: number;
}

const OUTPUT_BYTES = 16 << 20;
const CONSOLE_TAIL_BYTES = 4 << 10;

/**
 * runMachine starts QEMU and follows the guest: "booted" and "exit N" come on the control channel, output on its own channels up to
 * the end mark (guest-scripts.ts has the guest's side). With the exit code and both marks in hand nothing is left in the machine that
 * anybody wants, and QEMU is killed; that is faster than powering off.
 */
export async function runMachine(run: MachineRun): Promise<MachineResult> {
  const startMs = performance.now();
  const seconds = (): number => (performance.now() - startMs) / 1000;
  const output = new TailBuffer(OUTPUT_BYTES);
  const stdout = new TailBuffer(OUTPUT_BYTES);
  const stderr = new TailBuffer(OUTPUT_BYTES);
  const consoleTail = new TailBuffer(CONSOLE_TAIL_BYTES);
  const qemuErrors = new TailBuffer(CONSOLE_TAIL_BYTES);
  let bootSeconds: number | undefined;
  let exitCode: number | undefined;
  let openStreams = 2;
  let failure: { readonly reason: SandboxError['reason']; readonly message: string } | undefined;

  const qemu = startQemu(run);
  const kill = (): void => {
    qemu.kill('SIGKILL');
  };
  const fail = (reason: SandboxError['reason'], message: string): void => {
    failure ??= { reason, message };
    kill();
  };
  const killWhenComplete = (): void => {
    if (exitCode !== undefined && openStreams === 0) kill();
  };
  const bootTimer = setTimeout(() => {
    fail('boot', `the machine did not boot within ${String(run.bootTimeoutSeconds)} s`);
  }, run.bootTimeoutSeconds * 1000);

  const onControl = (line: string): void => {
    const [word, value] = line.split(' ');
    if (word === 'booted') {
      bootSeconds = seconds();
      clearTimeout(bootTimer);
    } else if (word === 'exit') {
      exitCode = Number(value);
      killWhenComplete();
    }
  };
  const follow = (fd: number, kept: TailBuffer, live: Writable | undefined): void => {
    const stream = channel(qemu, fd).pipe(
      new EndMark(run.endMark, () => {
        openStreams--;
        killWhenComplete();
      }),
    );
    stream.on('data', (chunk: Buffer) => {
      output.push(chunk);
      kept.push(chunk);
    });
    if (live !== undefined) stream.pipe(live, { end: false });
  };
  follow(CHANNELS.stdout, stdout, run.stdout);
  follow(CHANNELS.stderr, stderr, run.stderr);
  onLines(channel(qemu, CHANNELS.control), onControl);
  channel(qemu, CHANNELS.console).on('data', (chunk: Buffer) => {
    consoleTail.push(chunk);
    run.console?.write(chunk);
  });
  qemu.stderr?.on('data', (chunk: Buffer) => {
    qemuErrors.push(chunk);
  });

  const timer =
    run.timeoutSeconds === undefined
      ? undefined
      : setTimeout(() => {
          fail('timeout', `the command did not end within ${String(run.timeoutSeconds)} s`);
        }, run.timeoutSeconds * 1000);
  const onAbort = (): void => {
    fail('interrupted', 'interrupted');
  };
  run.signal?.addEventListener('abort', onAbort);
  if (run.signal?.aborted === true) onAbort();
  process.once('exit', kill);
  try {
    await once(qemu, 'close');
  } finally {
    kill();
    process.off('exit', kill);
    run.signal?.removeEventListener('abort', onAbort);
    clearTimeout(timer);
    clearTimeout(bootTimer);
  }

  const tail = consoleTail.text().replaceAll('\r', '');
  if (failure !== undefined) throw new SandboxError(failure.message, failure.reason, tail);
  if (bootSeconds === undefined) {
    throw new SandboxError(`the machine ended while booting ${qemuErrors.text()}`.trimEnd(), 'boot', tail);
  }
  if (exitCode === undefined || openStreams > 0) {
    throw new SandboxError(
      `the machine ended before the command did ${qemuErrors.text()}`.trimEnd(),
      'ended',
      tail,
    );
  }
  return {
    exitCode,
    output: output.text(),
    stdout: stdout.text(),
    stderr: stderr.text(),
    consoleTail: tail,
    bootSeconds,
    seconds: seconds(),
  };
}

/** Where setpriv is present (util-linux), the kernel kills QEMU when this thread dies, even by SIGKILL. */
function startQemu(run: MachineRun): ChildProcess {
  const setpriv = findProgram('setpriv');
  const [program, args] =
    setpriv === undefined
      ? [run.qemu, run.args]
      : [setpriv, ['--pdeathsig', 'KILL', '--', run.qemu, ...run.args]];
  const stdio: StdioOptions & unknown[] = ['ignore', 'ignore', 'pipe'];
  for (const fd of Object.values(CHANNELS)) stdio[fd] = 'pipe';
  stdio[INITRAMFS_FD] = run.initramfsFd;
  return spawn(program, args, { stdio });
}

function channel(qemu: ChildProcess, fd: number): Duplex {
  const stream = qemu.stdio[fd];
  if (!(stream instanceof Duplex)) throw new Error(`QEMU has no channel ${String(fd)}`);
  // The other end goes away with QEMU, at any time; 'close' says so.
  stream.on('error', () => undefined);
  return stream;
}

function onLines(stream: Duplex, onLine: (line: string) => void): void {
  let rest = '';
  stream.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop() ?? '';
    lines.forEach(onLine);
  });
}
