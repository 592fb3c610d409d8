/** Cores and their hardware threads from cpuN/topology. */
import { join } from 'node:path';
import { type Cpu, coreId } from './ids.js';
import { readCpuList, readNumber } from './sysfs.js';
import type { CoreInfo } from './topology.js';

/**
 * readCores groups the online CPUs by core. The kernel's sibling list decides (core_id repeats between
 * packages and dies); without one, CPUs of equal package and core_id are siblings; without either, none are.
 */
export function readCores(systemRoot: string, online: readonly Cpu[]): CoreInfo[] {
  const left = new Set(online);
  const byNumber = groupByCoreNumber(systemRoot, online);
  const cores: CoreInfo[] = [];
  for (const cpu of online) {
    if (!left.has(cpu)) continue;
    const folder = join(systemRoot, 'cpu', `cpu${cpu}`, 'topology');
    const listed =
      readCpuList(join(folder, 'thread_siblings_list')) ?? readCpuList(join(folder, 'core_cpus_list'));
    const siblings = listed ?? byNumber.get(cpu) ?? [];
    const cpus = [...new Set([cpu, ...siblings])].filter((other) => left.delete(other));
    cores.push({ core: coreId(cores.length), cpus: cpus.sort((a, b) => a - b) });
  }
  return cores;
}

/** readPackage gives a CPU's socket number, or -1 when the kernel does not say. */
export function readPackage(systemRoot: string, cpu: Cpu): number {
  return readNumber(join(systemRoot, 'cpu', `cpu${cpu}`, 'topology', 'physical_package_id')) ?? -1;
}

function groupByCoreNumber(systemRoot: string, online: readonly Cpu[]): Map<Cpu, Cpu[]> {
  const groups = new Map<string, Cpu[]>();
  const groupOf = new Map<Cpu, Cpu[]>();
  for (const cpu of online) {
    const core = readNumber(join(systemRoot, 'cpu', `cpu${cpu}`, 'topology', 'core_id'));
    if (core === undefined || core < 0) continue;
    const key = `${readPackage(systemRoot, cpu)}/${core}`;
    const group = groups.get(key) ?? [];
    group.push(cpu);
    groups.set(key, group);
    groupOf.set(cpu, group);
  }
  return groupOf;
}
