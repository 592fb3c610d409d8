/** A machine as a scheduler sees it: pure data, no I/O. `read.ts` fills it in from sysfs. */
import type { CoreId, Cpu, LlcId, NodeId } from './ids.js';

/** CpuInfo describes one online CPU. */
export interface CpuInfo {
  readonly cpu: Cpu;
  readonly node: NodeId;
  readonly llc: LlcId;
  readonly core: CoreId;
  /** Physical package (socket); -1 when the kernel does not say. */
  readonly packageId: number;
  /** The online hardware threads of this CPU's core, itself included, ascending. */
  readonly siblings: readonly Cpu[];
  /** The kernel's cpu_capacity: 1024 is the machine's fastest kind of CPU. */
  readonly capacity: number;
}

/** NodeInfo describes one online NUMA node. A node of memory only has no CPUs. */
export interface NodeInfo {
  readonly node: NodeId;
  /** Online CPUs, ascending. */
  readonly cpus: readonly Cpu[];
  /** Distance to every online node, itself included (10 means local). */
  readonly distances: ReadonlyMap<NodeId, number>;
}

/** LlcInfo describes one last-level cache, or stands for a node's CPUs where the kernel knows no caches. */
export interface LlcInfo {
  readonly llc: LlcId;
  /** Cache level, or 0 when made up from a node. */
  readonly level: number;
  readonly cpus: readonly Cpu[];
}

/** CoreInfo describes one core and its online hardware threads. */
export interface CoreInfo {
  readonly core: CoreId;
  readonly cpus: readonly Cpu[];
}

/** Topology is a machine at one moment; CPU hotplug makes a new one. All lists are ascending. */
export interface Topology {
  readonly online: readonly Cpu[];
  readonly present: readonly Cpu[];
  readonly possible: readonly Cpu[];
  readonly cpus: ReadonlyMap<Cpu, CpuInfo>;
  readonly nodes: readonly NodeInfo[];
  readonly llcs: readonly LlcInfo[];
  readonly cores: readonly CoreInfo[];
}

/** The kernel's LOCAL_DISTANCE and REMOTE_DISTANCE, used where the firmware gives no table. */
export const LOCAL_DISTANCE = 10;
export const REMOTE_DISTANCE = 20;

/** cpuInfo gives the description of an online CPU. @throws RangeError for a CPU that is not online. */
export function cpuInfo(topology: Topology, cpu: Cpu): CpuInfo {
  const info = topology.cpus.get(cpu);
  if (!info) throw new RangeError(`CPU ${cpu} is not online`);
  return info;
}

/** nodeDistance gives the NUMA distance between two nodes: 10 local, usually 20 and more remote. */
export function nodeDistance(topology: Topology, from: NodeId, to: NodeId): number {
  const distance = topology.nodes.find((entry) => entry.node === from)?.distances.get(to);
  return distance ?? (from === to ? LOCAL_DISTANCE : REMOTE_DISTANCE);
}
