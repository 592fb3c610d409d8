/** A machine's topology, as a recording keeps it and as it was. */
import { coreId, cpu as asCpu, llcId, nodeId } from '../topology/ids.js';
import { cpuInfo, nodeDistance, type Topology } from '../topology/topology.js';
import type { RecordedMachine } from './format.js';

/** A recording does not say which level its last-level caches are. */
const LLC_LEVEL = 3;

/** recordMachine keeps what planning domains needs. */
export function recordMachine(topology: Topology): RecordedMachine {
  const nodes = topology.nodes.map(({ node }) => node);
  return {
    cpus: topology.online.map((each) => {
      const { cpu, node, llc, core, packageId, capacity } = cpuInfo(topology, each);
      return { cpu, node, llc, core, packageId, capacity };
    }),
    nodes: nodes.map((node) => ({
      node,
      distances: nodes.map((other) => nodeDistance(topology, node, other)),
    })),
  };
}

/** topologyOf is the machine again, without CPUs that were offline. */
export function topologyOf({ cpus: recorded, nodes }: RecordedMachine): Topology {
  const cpus = [...recorded].sort((a, b) => a.cpu - b.cpu);
  const online = cpus.map(({ cpu }) => asCpu(cpu));
  const among = (key: 'node' | 'llc' | 'core', value: number): ReturnType<typeof asCpu>[] =>
    cpus.filter((each) => each[key] === value).map(({ cpu }) => asCpu(cpu));
  const values = (key: 'llc' | 'core'): number[] =>
    [...new Set(cpus.map((each) => each[key]))].sort((a, b) => a - b);
  return {
    online,
    present: online,
    possible: online,
    cpus: new Map(
      cpus.map(({ cpu, node, llc, core, packageId, capacity }) => [
        asCpu(cpu),
        {
          cpu: asCpu(cpu),
          node: nodeId(node),
          llc: llcId(llc),
          core: coreId(core),
          packageId,
          siblings: among('core', core),
          capacity,
        },
      ]),
    ),
    nodes: nodes.map(({ node, distances }) => ({
      node: nodeId(node),
      cpus: among('node', node),
      distances: new Map(nodes.map((other, index) => [nodeId(other.node), distances[index] ?? 0])),
    })),
    llcs: values('llc').map((llc) => ({ llc: llcId(llc), level: LLC_LEVEL, cpus: among('llc', llc) })),
    cores: values('core').map((core) => ({ core: coreId(core), cpus: among('core', core) })),
  };
}
