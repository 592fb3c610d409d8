/** NUMA nodes from /sys/devices/system/node, or one made-up node on machines without it. */
import { join } from 'node:path';
import { type Cpu, type NodeId, nodeId } from './ids.js';
import { numberedEntries, readCpuList, readText } from './sysfs.js';
import { LOCAL_DISTANCE, type NodeInfo, REMOTE_DISTANCE } from './topology.js';

/**
 * readNodes gives the online nodes, each with its online CPUs. A CPU that no node lists goes to node 0
 * (or to the first node where there is no node 0), so that every online CPU has exactly one.
 */
export function readNodes(systemRoot: string, online: readonly Cpu[]): NodeInfo[] {
  const root = join(systemRoot, 'node');
  const listed = readCpuList(join(root, 'online'));
  const ids = (listed ?? numberedEntries(root, 'node')).map((value) => nodeId(value));
  if (ids.length === 0) ids.push(nodeId(0));

  const homeless = new Set(online);
  const cpusOf = new Map<NodeId, Cpu[]>();
  for (const id of ids) {
    const cpus = (readCpuList(join(root, `node${id}`, 'cpulist')) ?? []).filter((cpu) =>
      homeless.delete(cpu),
    );
    cpusOf.set(id, cpus);
  }
  const home = ids.find((id) => id === 0) ?? ids.at(0) ?? nodeId(0);
  cpusOf.set(
    home,
    [...(cpusOf.get(home) ?? []), ...homeless].sort((a, b) => a - b),
  );

  return ids.map((id) => ({
    node: id,
    cpus: cpusOf.get(id) ?? [],
    distances: parseDistances(readText(join(root, `node${id}`, 'distance')), id, ids),
  }));
}

/** A node's distance file has one figure per online node, in the order of the node numbers. */
function parseDistances(
  text: string | undefined,
  from: NodeId,
  nodes: readonly NodeId[],
): Map<NodeId, number> {
  const figures = (text ?? '').split(/\s+/).map(Number);
  return new Map(
    nodes.map((to, index) => {
      const figure = figures.at(index);
      if (figure !== undefined && Number.isFinite(figure) && figure > 0) return [to, figure];
      return [to, from === to ? LOCAL_DISTANCE : REMOTE_DISTANCE];
    }),
  );
}
