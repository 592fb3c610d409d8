/** The machine and its plan as plain data, for `nodeland domains --json` and for programs. */
import { formatCpuList } from '../topology/cpulist.js';
import { type Topology, cpuInfo } from '../topology/topology.js';
import type { DomainPlan } from './plan.js';

/** planToJson gives plain objects: CPU lists as text, everything else as numbers. */
export function planToJson(plan: DomainPlan, topology: Topology): object {
  return {
    spec: plan.spec,
    online: formatCpuList(topology.online),
    present: formatCpuList(topology.present),
    possible: formatCpuList(topology.possible),
    nodes: topology.nodes.map(({ node, cpus, distances }) => ({
      node,
      cpus: formatCpuList(cpus),
      distances: Object.fromEntries(distances),
    })),
    llcs: topology.llcs.map(({ llc, level, cpus }) => ({ llc, level, cpus: formatCpuList(cpus) })),
    domains: plan.domains.map((domain) => ({ ...domain, cpus: formatCpuList(domain.cpus) })),
    cpus: topology.online.map((cpu) => ({ ...cpuInfo(topology, cpu), domain: plan.domainOfCpu[cpu] })),
  };
}
