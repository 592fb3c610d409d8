/** What the doctor looks at: files of /proc and /sys, read and not judged. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { readTopology } from '../../topology/read.js';
import { readNumber, readText } from '../../topology/sysfs.js';
import type { Topology } from '../../topology/topology.js';

/** Facts about a machine and about this process. Undefined where the machine does not say. */
export interface Facts {
  readonly release: string;
  readonly nodeVersion: string;
  /** Undefined when the kernel has no sched_ext. `ops` is the attached scheduler's name. */
  readonly schedExt: { readonly state: string; readonly ops: string | undefined } | undefined;
  /** The kernel's configuration: option to value, without the CONFIG_ prefix. */
  readonly kernelConfig: ReadonlyMap<string, string> | undefined;
  readonly hasBtf: boolean;
  /** Effective capabilities, one bit each. */
  readonly capabilities: bigint;
  /** Soft limit of locked memory; Infinity when unlimited. */
  readonly memlockBytes: number | undefined;
  readonly bpfJit: number | undefined;
  /** The kernel's lockdown mode: none, integrity or confidentiality. */
  readonly lockdown: string | undefined;
  readonly compactUnevictable: number | undefined;
  readonly swaps: readonly string[];
  readonly isolatedCpus: string;
  readonly topology: Topology | string;
}

/** readFacts reads them. @param root - another folder in place of `/`, for tests. */
export function readFacts(root = '/'): Facts {
  const read = (path: string): string | undefined => readText(join(root, path));
  const release = read('proc/sys/kernel/osrelease') ?? 'unknown';
  const state = read('sys/kernel/sched_ext/state');
  return {
    release,
    nodeVersion: process.versions.node,
    schedExt: state === undefined ? undefined : { state, ops: read('sys/kernel/sched_ext/root/ops') },
    kernelConfig: readKernelConfig(root, release),
    hasBtf: canRead(join(root, 'sys/kernel/btf/vmlinux')),
    capabilities: capabilityBits(read('proc/self/status')),
    memlockBytes: memlockLimit(read('proc/self/limits')),
    bpfJit: readNumber(join(root, 'proc/sys/net/core/bpf_jit_enable')),
    lockdown: /\[(\w+)\]/.exec(read('sys/kernel/security/lockdown') ?? '')?.[1],
    compactUnevictable: readNumber(join(root, 'proc/sys/vm/compact_unevictable_allowed')),
    swaps: swapNames(read('proc/swaps')),
    isolatedCpus: read('sys/devices/system/cpu/isolated') ?? '',
    topology: topologyOrReason(join(root, 'sys')),
  };
}

function readKernelConfig(root: string, release: string): Map<string, string> | undefined {
  const text =
    unpacked(join(root, 'proc/config.gz')) ??
    readText(join(root, `boot/config-${release}`)) ??
    readText(join(root, `lib/modules/${release}/config`));
  if (text === undefined) return undefined;
  return new Map(
    [...text.matchAll(/^CONFIG_(\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]),
  );
}

function unpacked(path: string): string | undefined {
  try {
    return gunzipSync(readFileSync(path)).toString('utf8');
  } catch {
    return undefined;
  }
}

function canRead(path: string): boolean {
  try {
    return readFileSync(path).length > 0;
  } catch {
    return false;
  }
}

function capabilityBits(status: string | undefined): bigint {
  const hex = /^CapEff:\s*([0-9a-f]+)$/m.exec(status ?? '')?.[1];
  return BigInt(`0x${hex ?? '0'}`);
}

function memlockLimit(limits: string | undefined): number | undefined {
  const soft = /^Max locked memory\s+(\S+)/m.exec(limits ?? '')?.[1];
  if (soft === undefined) return undefined;
  return soft === 'unlimited' ? Infinity : Number(soft);
}

function swapNames(swaps: string | undefined): string[] {
  const lines = (swaps ?? '').split('\n').slice(1);
  return lines.map((line) => line.split(/\s+/, 1)[0] ?? '').filter((name) => name !== '');
}

function topologyOrReason(sysfsRoot: string): Topology | string {
  try {
    return readTopology({ sysfsRoot });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
