/** How far domains are from each other, for stealing, hand-off and idle search. */
import { type Cpu, type DomainId, type NodeId, domainId } from '../topology/ids.js';
import { type Topology, cpuInfo, nodeDistance } from '../topology/topology.js';

/**
 * domainDistances gives the mean NUMA distance over all pairs of CPUs of each two domains. For domains that
 * lie on one node each, which is the usual case, that is the distance of the nodes.
 */
export function domainDistances(topology: Topology, domains: readonly (readonly Cpu[])[]): number[][] {
  const spread = domains.map((cpus) => nodeShares(topology, cpus));
  return spread.map((from) =>
    spread.map((to) => {
      let mean = 0;
      for (const [nodeA, shareA] of from) {
        for (const [nodeB, shareB] of to) mean += shareA * shareB * nodeDistance(topology, nodeA, nodeB);
      }
      return Math.round(mean * 100) / 100;
    }),
  );
}

function nodeShares(topology: Topology, cpus: readonly Cpu[]): Map<NodeId, number> {
  const shares = new Map<NodeId, number>();
  for (const cpu of cpus) {
    const { node } = cpuInfo(topology, cpu);
    shares.set(node, (shares.get(node) ?? 0) + 1 / cpus.length);
  }
  return shares;
}

/**
 * nearestFirst orders the other domains by NUMA distance, then those that share a last-level cache, then
 * those on the same socket, then by number counted upwards from the asking domain and around, so that
 * domains of equal distance do not all turn to domain 0 first.
 */
export function nearestFirst(
  topology: Topology,
  domains: readonly { readonly cpus: readonly Cpu[] }[],
  distances: readonly (readonly number[])[],
  from: number,
): DomainId[] {
  const own = domains[from]?.cpus ?? [];
  const llcs = new Set(own.map((cpu) => cpuInfo(topology, cpu).llc));
  const packages = new Set(own.map((cpu) => cpuInfo(topology, cpu).packageId));
  const rank = ({ cpus }: { readonly cpus: readonly Cpu[] }, index: number): number[] => [
    distances[from]?.[index] ?? 0,
    cpus.some((cpu) => llcs.has(cpuInfo(topology, cpu).llc)) ? 0 : 1,
    cpus.some((cpu) => packages.has(cpuInfo(topology, cpu).packageId)) ? 0 : 1,
    (index - from + domains.length) % domains.length,
  ];
  return domains
    .map((domain, index) => ({ index, rank: rank(domain, index) }))
    .filter(({ index }) => index !== from)
    .sort((a, b) => compare(a.rank, b.rank))
    .map(({ index }) => domainId(index));
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (let index = 0; index < a.length; index++) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
