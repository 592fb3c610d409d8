/** Checks of the machine that nothing hangs on, but latency may. */
import { EXIT } from '../errors.js';
import type { Check } from './checks.js';
import type { Facts } from './facts.js';

const OLDEST_NODE = 20;
/** Workers lock file-backed mappings, stacks and rings: some 100 MiB with many domains. */
const ENOUGH_LOCKED_BYTES = 256 * 2 ** 20;

export function nodeCheck({ nodeVersion }: Facts): Check {
  const name = 'Node.js';
  if (Number.parseInt(nodeVersion, 10) >= OLDEST_NODE) return { name, state: 'ok', found: nodeVersion };
  const advice = `Node.js ${OLDEST_NODE} or later`;
  return { name, state: 'missing', found: nodeVersion, advice, exitCode: EXIT.failure };
}

export function memlockCheck({ memlockBytes }: Facts, mayLock: boolean): Check {
  const name = 'memlock';
  const limit =
    memlockBytes === undefined
      ? 'unknown'
      : memlockBytes === Infinity
        ? 'unlimited'
        : mebibytes(memlockBytes);
  if (mayLock)
    return { name, state: 'ok', found: `limit ${limit}, which does not bind with these capabilities` };
  if ((memlockBytes ?? 0) >= ENOUGH_LOCKED_BYTES) return { name, state: 'ok', found: `limit ${limit}` };
  const advice = 'ulimit -l unlimited, or CAP_IPC_LOCK: workers that cannot lock their memory may fault';
  return { name, state: 'warning', found: `limit ${limit}`, advice };
}

export function bpfJitCheck({ bpfJit }: Facts): Check {
  const name = 'BPF JIT';
  if (bpfJit !== 0) return { name, state: 'ok', found: bpfJit === undefined ? 'no switch: built in' : 'on' };
  return {
    name,
    state: 'missing',
    found: 'off',
    advice: 'sysctl net.core.bpf_jit_enable=1',
    exitCode: EXIT.failure,
  };
}

export function numaCheck({ topology }: Facts): Check {
  const name = 'NUMA';
  if (typeof topology === 'string') {
    const advice = 'mount sysfs at /sys';
    return { name, state: 'missing', found: topology, advice, exitCode: EXIT.unavailable };
  }
  const { nodes, llcs, online } = topology;
  const found = `CPUs: ${online.length}, nodes: ${nodes.length}, last-level caches: ${llcs.length} (nodeland domains draws them)`;
  return { name, state: 'ok', found };
}

export function isolationCheck({ isolatedCpus }: Facts): Check {
  const name = 'isolated CPUs';
  if (isolatedCpus === '') return { name, state: 'ok', found: 'none' };
  const advice = 'boot without isolcpus: the kernel balances nothing onto those CPUs, but nodeland would';
  return { name, state: 'warning', found: isolatedCpus, advice };
}

export function compactionCheck({ compactUnevictable }: Facts): Check {
  const name = 'compaction';
  if (compactUnevictable !== 1) return { name, state: 'ok', found: 'leaves locked memory alone' };
  const found = 'vm.compact_unevictable_allowed=1; set to 0 while nodeland runs, then restored';
  return { name, state: 'ok', found };
}

export function swapCheck({ swaps }: Facts): Check {
  const name = 'swap';
  if (swaps.length === 0) return { name, state: 'ok', found: 'none' };
  const advice = 'swapoff -a where latency matters: a worker whose heap is swapped out stalls its domain';
  return { name, state: 'warning', found: swaps.join(', '), advice };
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
