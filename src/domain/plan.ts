import {
  type Cpu,
  type DomainId,
  MAX_CPUS,
  MAX_DOMAINS,
  type NodeId,
  cpu as asCpu,
  domainId,
} from '../topology/ids.js';
import { type Topology, cpuInfo } from '../topology/topology.js';
import { checkCpuLists } from './check.js';
import { domainDistances, nearestFirst } from './distance.js';
import { PlanError } from './errors.js';
import { type DomainSpec, parseDomainSpec } from './spec.js';

/** Domain is one worker's share of the machine. */
export interface Domain {
  readonly id: DomainId;
  /** Short, for tables: node0, llc3, core12, all, set1. */
  readonly name: string;
  /** Online CPUs, ascending, never empty. */
  readonly cpus: readonly Cpu[];
  /** The node most of the CPUs are on (the lowest such node); the domain's memory belongs there. */
  readonly node: NodeId;
  /** The CPU the worker is pinned to; see {@link chooseWorkerCpu}. */
  readonly workerCpu: Cpu;
  /** Mean NUMA distance to each domain, indexed by domain, itself included. */
  readonly distances: readonly number[];
  /** The other domains, nearest first. */
  readonly neighbours: readonly DomainId[];
}

/** DomainPlan divides the online CPUs into domains: every one is in exactly one. */
export interface DomainPlan {
  readonly spec: string;
  readonly domains: readonly Domain[];
  /** The domain of each CPU, indexed by CPU up to the highest possible one; -1 where none is online. */
  readonly domainOfCpu: Int16Array;
}

interface Group {
  readonly name: string;
  readonly cpus: readonly Cpu[];
}

/**
 * planDomains divides a machine as `spec` asks. Pure: the same topology and spec give the same plan.
 * Nodes without online CPUs give no domain.
 *
 * @param spec - `node`, `llc`, `core`, `one` or CPU lists; see {@link parseDomainSpec}.
 * @throws DomainSpecError when the spec cannot be read.
 * @throws {@link PlanError} naming CPUs that are missing, doubled, offline or not there, or the limit passed.
 */
export function planDomains(topology: Topology, spec: string): DomainPlan {
  const groups = groupCpus(topology, parseDomainSpec(spec));
  checkLimits(topology, groups, spec);

  const members = groups.map((group) => ({ ...group, node: majorityNode(topology, group.cpus) }));
  const distances = domainDistances(
    topology,
    groups.map((group) => group.cpus),
  );
  const domains = members.map(({ name, cpus, node }, index): Domain => ({
    id: domainId(index),
    name,
    cpus,
    node,
    workerCpu: chooseWorkerCpu(topology, cpus, node),
    distances: distances[index] ?? [],
    neighbours: nearestFirst(topology, groups, distances, index),
  }));

  const domainOfCpu = new Int16Array(Math.max(...topology.possible, ...topology.online) + 1).fill(-1);
  for (const { id, cpus } of domains) for (const cpu of cpus) domainOfCpu[cpu] = id;
  return { spec, domains, domainOfCpu };
}

function groupCpus(topology: Topology, spec: DomainSpec): Group[] {
  switch (spec.kind) {
    case 'node': {
      const withCpus = topology.nodes.filter((node) => node.cpus.length > 0);
      return withCpus.map(({ node, cpus }) => ({ name: `node${node}`, cpus }));
    }
    case 'llc':
      return topology.llcs.map(({ llc, cpus }) => ({ name: `llc${llc}`, cpus }));
    case 'core':
      return topology.cores.map(({ core, cpus }) => ({ name: `core${core}`, cpus }));
    case 'one':
      return [{ name: 'all', cpus: topology.online }];
    case 'lists':
      checkCpuLists(topology, spec.lists);
      return spec.lists.map((cpus, index) => ({ name: `set${index}`, cpus }));
  }
}

function checkLimits(topology: Topology, groups: readonly Group[], spec: string): void {
  const highest = topology.online.at(-1) ?? 0;
  if (highest >= MAX_CPUS) {
    throw new PlanError(
      'too-many-cpus',
      `CPU ${highest} is online; nodeland schedules CPUs 0 to ${MAX_CPUS - 1} only`,
    );
  }
  if (groups.length > MAX_DOMAINS) {
    const advice = 'choose larger ones (node, llc, one, or your own CPU lists)';
    throw new PlanError(
      'too-many-domains',
      `"${spec}" makes ${groups.length} domains here; at most ${MAX_DOMAINS} are possible: ${advice}`,
    );
  }
}

/** majorityNode gives the node that most of the CPUs are on; the lowest of several. */
function majorityNode(topology: Topology, cpus: readonly Cpu[]): NodeId {
  const counts = new Map<NodeId, number>();
  for (const cpu of cpus) {
    const { node } = cpuInfo(topology, cpu);
    counts.set(node, (counts.get(node) ?? 0) + 1);
  }
  const ranked = [...counts].sort(([nodeA, a], [nodeB, b]) => b - a || nodeA - nodeB);
  const first = ranked.at(0);
  if (!first) throw new RangeError('a domain without CPUs');
  return first[0];
}

/**
 * chooseWorkerCpu gives the CPU a domain's worker is pinned to. In this order: not CPU 0 (interrupts and
 * boot-time work gather there) unless the domain has no other; on the domain's own node, where its memory
 * is; of the largest capacity (not an efficiency core); the highest number, which is where the fewest
 * interrupts and pinned threads are by habit.
 */
export function chooseWorkerCpu(topology: Topology, cpus: readonly Cpu[], node: NodeId): Cpu {
  const candidates = narrow(
    narrow(cpus, (cpu) => cpu !== asCpu(0)),
    (cpu) => cpuInfo(topology, cpu).node === node,
  );
  const best = Math.max(...candidates.map((cpu) => cpuInfo(topology, cpu).capacity));
  const chosen = candidates.filter((cpu) => cpuInfo(topology, cpu).capacity === best).at(-1);
  if (chosen === undefined) throw new RangeError('a domain without CPUs');
  return chosen;
}

/** The CPUs that pass the test, or all of them where none does. */
function narrow(cpus: readonly Cpu[], wanted: (cpu: Cpu) => boolean): readonly Cpu[] {
  const kept = cpus.filter(wanted);
  return kept.length > 0 ? kept : cpus;
}
