/** What must be there before anything is loaded. Each lack is a UserError that says what to do. */
import { readFileSync } from 'node:fs';
import { EXIT, UserError } from '../cli/errors.js';

const STATE_FILE = '/sys/kernel/sched_ext/state';
const OPS_FILE = '/sys/kernel/sched_ext/root/ops';

/** CAP_BPF, CAP_PERFMON and CAP_SYS_NICE, or CAP_SYS_ADMIN for the first two. */
const CAP_SYS_ADMIN = 1n << 21n;
const CAP_SYS_NICE = 1n << 23n;
const CAP_PERFMON = 1n << 38n;
const CAP_BPF = 1n << 39n;

/**
 * checkMachine refuses what cannot work.
 *
 * @throws UserError 77 without the capabilities, 69 without sched_ext, 1 when another scheduler is attached.
 */
export function checkMachine(): void {
  checkCapabilities();
  const state = schedExtState();
  if (state === undefined) {
    throw new UserError(
      'this kernel has no sched_ext (no /sys/kernel/sched_ext).\n' +
        'Kernels from 6.12 on have it when built with CONFIG_SCHED_CLASS_EXT; Debian has it from 6.16 on (backports).\n' +
        'Try it in a virtual machine with such a kernel: nodeland sandbox -- COMMAND',
      EXIT.unavailable,
    );
  }
  if (state !== 'disabled') {
    const name = readTrimmed(OPS_FILE) ?? 'unknown';
    throw new UserError(
      `another sched_ext scheduler is attached: ${name} (${STATE_FILE} is "${state}"). Stop it first.`,
    );
  }
}

/** schedExtState is the kernel's word: disabled, enabling, enabled, disabling; undefined without sched_ext. */
export function schedExtState(): string | undefined {
  return readTrimmed(STATE_FILE);
}

/** hotplugSequence is the kernel's count of CPUs that came or went since boot. */
export function hotplugSequence(): bigint {
  return BigInt(readTrimmed('/sys/kernel/sched_ext/hotplug_seq') ?? '0');
}

function checkCapabilities(): void {
  const hex = /^CapEff:\s*([0-9a-f]+)$/m.exec(readTrimmed('/proc/self/status') ?? '')?.[1];
  const held = BigInt(`0x${hex ?? '0'}`);
  const has = (bit: bigint): boolean => (held & bit) !== 0n;
  const lacking: string[] = [];
  if (!has(CAP_SYS_ADMIN)) {
    if (!has(CAP_BPF)) lacking.push('CAP_BPF');
    if (!has(CAP_PERFMON)) lacking.push('CAP_PERFMON');
  }
  if (!has(CAP_SYS_NICE)) lacking.push('CAP_SYS_NICE');
  if (lacking.length > 0) {
    throw new UserError(
      `not enough privilege to load a scheduler: ${lacking.join(', ')} missing. Run it as root: sudo npx nodeland run`,
      EXIT.privilege,
    );
  }
}

function readTrimmed(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}
