import { join } from 'node:path';
import { readLlcs } from './caches.js';
import { readCores, readPackage } from './cores.js';
import { type Cpu, type NodeId, coreId, cpu as asCpu, llcId, nodeId } from './ids.js';
import { readNodes } from './nodes.js';
import { numberedEntries, readCpuList, readNumber } from './sysfs.js';
import type { CpuInfo, Topology } from './topology.js';

const FULL_CAPACITY = 1024;

/** TopologyError says that sysfs describes no usable machine. */
export class TopologyError extends Error {
  override name = 'TopologyError';
}

/**
 * readTopology reads the machine's CPUs, cores, caches and NUMA nodes. Offline CPUs appear in `present`
 * and `possible` only. Synchronous, some 12 small files per CPU; not for hot paths.
 *
 * @param options.sysfsRoot - where sysfs is mounted; tests give a recorded tree.
 * @throws {@link TopologyError} when no online CPU is found there.
 */
export function readTopology({ sysfsRoot = '/sys' }: { sysfsRoot?: string } = {}): Topology {
  const systemRoot = join(sysfsRoot, 'devices/system');
  const cpuRoot = join(systemRoot, 'cpu');
  const online = readCpuList(join(cpuRoot, 'online')) ?? cpusByFolder(cpuRoot);
  if (online.length === 0) throw new TopologyError(`no online CPU found under ${cpuRoot}`);
  const present = readCpuList(join(cpuRoot, 'present')) ?? online;
  const possible = readCpuList(join(cpuRoot, 'possible')) ?? present;

  const nodes = readNodes(systemRoot, online);
  const llcs = readLlcs(systemRoot, online, nodes);
  const cores = readCores(systemRoot, online);

  const nodeOf = new Map<Cpu, NodeId>(
    nodes.flatMap(({ node, cpus }) => cpus.map((cpu) => [cpu, node] as const)),
  );
  const llcOf = new Map(llcs.flatMap(({ llc, cpus }) => cpus.map((cpu) => [cpu, llc] as const)));
  const coreOf = new Map(cores.flatMap((core) => core.cpus.map((cpu) => [cpu, core] as const)));
  const cpus = new Map<Cpu, CpuInfo>();
  for (const cpu of online) {
    const core = coreOf.get(cpu);
    cpus.set(cpu, {
      cpu,
      node: nodeOf.get(cpu) ?? nodeId(0),
      llc: llcOf.get(cpu) ?? llcId(0),
      core: core?.core ?? coreId(0),
      packageId: readPackage(systemRoot, cpu),
      siblings: core?.cpus ?? [cpu],
      capacity: readNumber(join(cpuRoot, `cpu${cpu}`, 'cpu_capacity')) ?? FULL_CAPACITY,
    });
  }
  return { online, present, possible, cpus, nodes, llcs, cores };
}

/** Kernels without CPU hotplug have no per-CPU `online` file and very old ones no list: every folder counts. */
function cpusByFolder(cpuRoot: string): Cpu[] {
  return numberedEntries(cpuRoot, 'cpu')
    .filter((value) => readNumber(join(cpuRoot, `cpu${value}`, 'online')) !== 0)
    .map((value) => asCpu(value));
}
