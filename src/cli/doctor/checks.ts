/** From facts to findings: what is well, what could be better, what stands in the way. Pure. */
import { EXIT, type ExitCode } from '../errors.js';
import type { AddonState } from './addon.js';
import type { Facts } from './facts.js';
import {
  bpfJitCheck,
  compactionCheck,
  isolationCheck,
  memlockCheck,
  nodeCheck,
  numaCheck,
  swapCheck,
} from './machine.js';

/** Check is one finding. `advice` says what to do; `exitCode` is set when nodeland cannot run because of it. */
export interface Check {
  readonly name: string;
  readonly state: 'ok' | 'warning' | 'missing';
  readonly found: string;
  readonly advice?: string;
  readonly exitCode?: ExitCode;
}

const WHERE_SCHED_EXT_IS =
  'use a kernel of 6.12 or later with CONFIG_SCHED_CLASS_EXT (Debian: 6.16 or later, from trixie-backports), ' +
  'or try nodeland in a virtual machine with one: nodeland sandbox -- COMMAND';

/** Bit numbers of linux/capability.h. */
const CAPABILITY = {
  IPC_LOCK: 14,
  SYS_ADMIN: 21,
  SYS_NICE: 23,
  SYS_RESOURCE: 24,
  PERFMON: 38,
  BPF: 39,
} as const;

const NEEDED_CONFIG = ['SCHED_CLASS_EXT', 'BPF_SYSCALL', 'BPF_JIT', 'DEBUG_INFO_BTF'] as const;

/** diagnose judges the facts, in the order in which one would mend them. */
export function diagnose(facts: Facts, addon: AddonState): Check[] {
  const mayLock = has(facts, 'IPC_LOCK') || has(facts, 'SYS_RESOURCE');
  return [
    schedExtCheck(facts),
    kernelConfigCheck(facts),
    btfCheck(facts),
    lockdownCheck(facts),
    capabilityCheck(facts),
    addonCheck(addon),
    nodeCheck(facts),
    memlockCheck(facts, mayLock),
    bpfJitCheck(facts),
    numaCheck(facts),
    isolationCheck(facts),
    compactionCheck(facts),
    swapCheck(facts),
  ];
}

/** exitCodeOf gives 0 when nothing is missing; else 69 before 77 before anything else. */
export function exitCodeOf(checks: readonly Check[]): ExitCode {
  const codes = checks.flatMap((check) =>
    check.state === 'missing' ? [check.exitCode ?? EXIT.failure] : [],
  );
  return [EXIT.unavailable, EXIT.privilege].find((code) => codes.includes(code)) ?? codes.at(0) ?? EXIT.ok;
}

function schedExtCheck({ release, schedExt }: Facts): Check {
  const name = 'sched_ext';
  if (!schedExt) {
    const found = `kernel ${release} has no sched_ext`;
    return { name, state: 'missing', found, advice: WHERE_SCHED_EXT_IS, exitCode: EXIT.unavailable };
  }
  const kernel = `kernel ${release}, state ${schedExt.state}`;
  if (schedExt.state === 'disabled') return { name, state: 'ok', found: kernel };
  if (schedExt.ops?.startsWith('nodeland')) {
    return {
      name,
      state: 'warning',
      found: `${kernel}: nodeland is attached`,
      advice: 'stop it before starting another',
    };
  }
  const found = `${kernel}: scheduler ${schedExt.ops ?? '(unknown)'} is attached`;
  const advice = 'stop it first (often: systemctl stop scx.service); the kernel takes one at a time';
  return { name, state: 'missing', found, advice, exitCode: EXIT.failure };
}

function kernelConfigCheck({ kernelConfig, schedExt }: Facts): Check {
  const name = 'kernel config';
  if (!kernelConfig) return { name, state: 'ok', found: 'not readable here; the other checks do without it' };
  const lacking = NEEDED_CONFIG.filter((option) => kernelConfig.get(option) !== 'y').map(
    (option) => `CONFIG_${option}`,
  );
  if (lacking.length === 0)
    return { name, state: 'ok', found: NEEDED_CONFIG.map((option) => `${option}=y`).join(' ') };
  const found = `without ${lacking.join(', ')}`;
  // A file in /boot may belong to another build: the running kernel has the last word.
  const state = schedExt ? 'warning' : 'missing';
  return { name, state, found, advice: `a kernel with ${lacking.join(', ')}`, exitCode: EXIT.unavailable };
}

function btfCheck({ hasBtf }: Facts): Check {
  const name = 'BTF';
  if (hasBtf) return { name, state: 'ok', found: '/sys/kernel/btf/vmlinux' };
  const advice = 'a kernel with CONFIG_DEBUG_INFO_BTF: the BPF program is fitted to the kernel by it';
  return { name, state: 'missing', found: 'no /sys/kernel/btf/vmlinux', advice, exitCode: EXIT.unavailable };
}

function lockdownCheck({ lockdown }: Facts): Check {
  const name = 'lockdown';
  if (lockdown !== 'confidentiality') return { name, state: 'ok', found: lockdown ?? 'not in this kernel' };
  const advice = 'boot with lockdown=integrity or less: confidentiality keeps BPF from reading kernel memory';
  return { name, state: 'missing', found: lockdown, advice, exitCode: EXIT.privilege };
}

function capabilityCheck(facts: Facts): Check {
  const name = 'capabilities';
  const admin = has(facts, 'SYS_ADMIN');
  const implied = (capability: string): boolean => admin && capability !== 'SYS_NICE';
  const needed = (['BPF', 'PERFMON', 'SYS_NICE'] as const).filter(
    (capability) => !implied(capability) && !has(facts, capability),
  );
  if (needed.length > 0) {
    const found = `without ${needed.map((capability) => `CAP_${capability}`).join(', ')}`;
    return {
      name,
      state: 'missing',
      found,
      advice: 'run as root: sudo npx nodeland run',
      exitCode: EXIT.privilege,
    };
  }
  return { name, state: 'ok', found: `${admin ? 'CAP_SYS_ADMIN' : 'CAP_BPF, CAP_PERFMON'}, CAP_SYS_NICE` };
}

function addonCheck(addon: AddonState): Check {
  const name = 'libbpf';
  if (addon.state === 'loaded')
    return { name, state: 'ok', found: `${addon.libbpfVersion} in the native addon` };
  const advice = 'npm run build (npm start and npm test build it too, and install what that needs)';
  return {
    name,
    state: 'missing',
    found: `the native addon does not load: ${addon.reason}`,
    advice,
    exitCode: EXIT.failure,
  };
}

function has({ capabilities }: Facts, capability: keyof typeof CAPABILITY): boolean {
  return ((capabilities >> BigInt(CAPABILITY[capability])) & 1n) === 1n;
}
