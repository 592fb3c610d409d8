import { Command, InvalidArgumentError } from 'commander';
import { constants } from 'node:os';
import { SandboxError } from '../sandbox/errors.js';
import type { Accel } from '../sandbox/qemu-args.js';
import { runInSandbox, type SandboxOptions, type SandboxResult } from '../sandbox/run.js';
import { LONGEST_TIMER_S } from '../config/schema.js';
import { EXIT, UserError } from './errors.js';
import { wholeNumber } from './whole-number.js';

interface SandboxFlags {
  readonly cpus: number;
  readonly nodes?: number;
  readonly memory: number;
  readonly kernel?: string;
  readonly deterministic?: true;
  readonly kvm?: true;
  readonly smpThreads: number;
  readonly timeout?: number;
  readonly verbose?: true;
}

const MOST_MEMORY_GIB = 65_536;

const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** sandboxCommand is `nodeland sandbox`: run a command on a real sched_ext kernel in QEMU; the exit code is the command's. */
export function sandboxCommand(): Command {
  return new Command('sandbox')
    .description(
      'run a command as root on a sched_ext kernel in QEMU, with this file system and this folder writable',
    )
    .argument('<command...>', 'program and arguments; put -- before it')
    .option('--cpus <n>', 'CPUs in all', wholeNumber(1, 1024), 4)
    .option(
      '--nodes <n>',
      'NUMA nodes, one socket each (default: 2, or 1 with one CPU)',
      wholeNumber(1, 1024),
    )
    .option('--memory <GiB>', 'memory in all, in GiB', upTo(MOST_MEMORY_GIB), 2)
    .option('--kernel <version>', 'kernel version or its beginning, such as 6.18 (default: the newest)')
    .option('--deterministic', 'count instructions as time: latencies repeat, whatever this host does')
    .option('--kvm', 'use KVM instead of software emulation')
    .option('--smp-threads <n>', 'SMT threads per core', wholeNumber(1, 1024), 1)
    .option('--timeout <seconds>', 'give up after so long, boot included', upTo(LONGEST_TIMER_S))
    .option('-v, --verbose', "print the kernel's console and the boot time to standard error")
    .passThroughOptions()
    .action(async (command: string[], flags: SandboxFlags) => {
      process.exitCode = await runCommand(command, flags);
    });
}

async function runCommand(command: string[], flags: SandboxFlags): Promise<number> {
  const abort = new AbortController();
  let stoppedBy: (typeof STOP_SIGNALS)[number] | undefined;
  const stop = (signal: (typeof STOP_SIGNALS)[number]): void => {
    stoppedBy = signal;
    abort.abort();
  };
  STOP_SIGNALS.forEach((signal) => process.once(signal, stop));
  try {
    const result = await runInSandbox(sandboxOptions(command, flags, abort.signal));
    if (flags.verbose === true) process.stderr.write(timesLine(result));
    return result.exitCode;
  } catch (error) {
    if (stoppedBy !== undefined) return 128 + constants.signals[stoppedBy];
    throw error instanceof SandboxError ? userError(error) : error;
  } finally {
    STOP_SIGNALS.forEach((signal) => process.off(signal, stop));
  }
}

function sandboxOptions(command: string[], flags: SandboxFlags, signal: AbortSignal): SandboxOptions {
  return {
    command,
    cpus: flags.cpus,
    nodes: flags.nodes,
    memoryGiB: flags.memory,
    kernel: flags.kernel,
    smtThreads: flags.smpThreads,
    accel: accelOf(flags),
    timeoutSeconds: flags.timeout,
    signal,
    stdout: process.stdout,
    stderr: process.stderr,
    console: flags.verbose === true ? process.stderr : undefined,
  };
}

function accelOf(flags: SandboxFlags): Accel {
  if (flags.deterministic === true && flags.kvm === true) {
    throw new UserError('--deterministic and --kvm exclude each other', EXIT.usage);
  }
  if (flags.deterministic === true) return 'deterministic';
  return flags.kvm === true ? 'kvm' : 'emulated';
}

/** userError says what a user can make of it. */
export function userError(error: SandboxError): UserError {
  const consoleLines = error.consoleTail.trim();
  const tail = consoleLines === '' ? '' : `\nThe last lines of the machine's console:\n${consoleLines}`;
  return new UserError(`sandbox: ${error.message}${tail}`, exitCodeOf(error), { cause: error });
}

function exitCodeOf(error: SandboxError): UserError['exitCode'] {
  switch (error.reason) {
    case 'options':
      return EXIT.usage;
    case 'setup':
      return EXIT.unavailable;
    case 'boot':
    case 'ended':
    case 'timeout':
    case 'interrupted':
      return EXIT.failure;
  }
}

function timesLine(result: SandboxResult): string {
  return `sandbox: booted in ${result.bootSeconds.toFixed(1)} s, ${result.seconds.toFixed(1)} s in all\n`;
}

function upTo(most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!(value > 0 && value <= most)) {
      throw new InvalidArgumentError(`expected a number above 0, at most ${most}`);
    }
    return value;
  };
}
