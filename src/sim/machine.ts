/** Machines that are not there. */
import { type Cpu, type NodeId, coreId, cpu as asCpu, llcId, nodeId } from '../topology/ids.js';
import { LOCAL_DISTANCE, REMOTE_DISTANCE, type Topology } from '../topology/topology.js';

/** Nodes of one board see each other at this distance, others further away at the next. */
const NODES_PER_BOARD = 4;
const FAR_DISTANCE = 30;

/** MachineSize is how large a made-up machine is. */
export interface MachineSize {
  readonly cpus: number;
  readonly nodes: number;
}

/**
 * makeMachine makes up a machine: CPUs are numbered node by node, as evenly as they divide, one thread to a core and one
 * last-level cache to a node. Distances between nodes are 20 within each group of four, 30 beyond.
 */
export function makeMachine({ cpus, nodes }: MachineSize): Topology {
  const nodeOf = (cpu: number): number => Math.floor((cpu * nodes) / cpus);
  const online = Array.from({ length: cpus }, (_, cpu) => asCpu(cpu));
  const ids = Array.from({ length: nodes }, (_, id) => nodeId(id));
  const cpusOf = (id: NodeId): Cpu[] => online.filter((cpu) => nodeOf(cpu) === id);
  return {
    online,
    present: online,
    possible: online,
    cpus: new Map(
      online.map((cpu) => [
        cpu,
        {
          cpu,
          node: nodeId(nodeOf(cpu)),
          llc: llcId(nodeOf(cpu)),
          core: coreId(cpu),
          packageId: nodeOf(cpu),
          siblings: [cpu],
          capacity: 1024,
        },
      ]),
    ),
    nodes: ids.map((node) => ({
      node,
      cpus: cpusOf(node),
      distances: new Map(ids.map((other) => [other, distance(node, other)])),
    })),
    llcs: ids.map((node) => ({ llc: llcId(node), level: 3, cpus: cpusOf(node) })),
    cores: online.map((cpu) => ({ core: coreId(cpu), cpus: [cpu] })),
  };
}

function distance(from: number, to: number): number {
  if (from === to) return LOCAL_DISTANCE;
  const isNear = Math.floor(from / NODES_PER_BOARD) === Math.floor(to / NODES_PER_BOARD);
  return isNear ? REMOTE_DISTANCE : FAR_DISTANCE;
}
