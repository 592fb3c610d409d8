/** Hand-written CPU lists against the machine: every online CPU once, and no other. */
import { formatCpuList } from '../topology/cpulist.js';
import type { Cpu } from '../topology/ids.js';
import type { Topology } from '../topology/topology.js';
import { PlanError } from './errors.js';

/**
 * checkCpuLists passes when every online CPU is in exactly one list and nothing else is in any.
 *
 * @throws {@link PlanError} ('bad-cpus') with all that is wrong, not just the first.
 */
export function checkCpuLists(topology: Topology, lists: readonly (readonly Cpu[])[]): void {
  const domainsOf = new Map<Cpu, number[]>();
  lists.forEach((list, index) => {
    for (const cpu of list) domainsOf.set(cpu, [...(domainsOf.get(cpu) ?? []), index]);
  });
  const named = [...domainsOf.keys()];
  const online = new Set(topology.online);
  const known = new Set([...topology.present, ...topology.possible]);

  const missing = topology.online.filter((cpu) => !domainsOf.has(cpu));
  const offline = named.filter((cpu) => !online.has(cpu) && known.has(cpu));
  const absent = named.filter((cpu) => !online.has(cpu) && !known.has(cpu));
  const problems = [
    ...complain(missing, 'in no domain'),
    ...complainDoubled(domainsOf),
    ...complain(offline, 'offline'),
    ...complain(absent, 'not in this machine'),
  ];
  if (problems.length === 0) return;
  throw new PlanError('bad-cpus', `${problems.join('; ')} (online here: ${formatCpuList(topology.online)})`);
}

function complain(cpus: readonly Cpu[], what: string): string[] {
  if (cpus.length === 0) return [];
  return [
    `${cpus.length === 1 ? 'CPU' : 'CPUs'} ${formatCpuList(cpus)} ${cpus.length === 1 ? 'is' : 'are'} ${what}`,
  ];
}

/** CPUs doubled in the same domains are named together: "CPUs 2-3 are in more than one domain (0 and 1)". */
function complainDoubled(domainsOf: ReadonlyMap<Cpu, readonly number[]>): string[] {
  const byDomains = new Map<string, Cpu[]>();
  for (const [cpu, domains] of domainsOf) {
    if (domains.length < 2) continue;
    const key = domains.join(' and ');
    byDomains.set(key, [...(byDomains.get(key) ?? []), cpu]);
  }
  return [...byDomains].flatMap(([domains, cpus]) => complain(cpus, `in more than one domain (${domains})`));
}
