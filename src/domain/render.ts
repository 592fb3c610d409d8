/** A machine and its plan drawn as text: who sits where, and how far it is. */
import { formatCpuList } from '../topology/cpulist.js';
import type { Cpu, NodeId } from '../topology/ids.js';
import { type CoreInfo, type LlcInfo, type NodeInfo, type Topology, cpuInfo } from '../topology/topology.js';
import type { Domain, DomainPlan } from './plan.js';

const MAP_WIDTH = 96;
const SHOWN_NEIGHBOURS = 8;

/**
 * renderPlan draws nodes, caches and cores with the domain under each core, then the domains, then the
 * distances. A core's hardware threads are joined by `+`, a worker's CPU carries `*`. Ends with a newline.
 */
export function renderPlan(plan: DomainPlan, topology: Topology): string {
  const sections = [
    headline(plan, topology),
    topology.nodes.map((node) => drawNode(plan, topology, node)).join('\n'),
    table(['domain', 'name', 'node', 'worker', 'CPUs', 'nearest first'], plan.domains.map(domainRow)),
    topology.nodes.length > 1
      ? `node distances\n${distanceTable(topology)}`
      : 'one node: every domain is local',
  ];
  return `${sections.join('\n\n')}\n`;
}

function headline(plan: DomainPlan, topology: Topology): string {
  const { online, present, nodes, llcs, cores } = topology;
  const machine = [
    count(online.length, 'CPU'),
    count(cores.length, 'core'),
    count(llcs.length, 'last-level cache'),
    count(nodes.length, 'node'),
  ].join(', ');
  const offline = present.filter((cpu) => !topology.cpus.has(cpu));
  const away = offline.length > 0 ? `\noffline  ${formatCpuList(offline)}` : '';
  return `machine  ${machine}${away}\nplan     ${plan.spec}: ${count(plan.domains.length, 'domain')}, * is a worker's CPU`;
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}

function drawNode(plan: DomainPlan, topology: Topology, { node, cpus }: NodeInfo): string {
  if (cpus.length === 0) return `node ${node}: memory only`;
  const lines = [`node ${node}: ${count(cpus.length, 'CPU')} (${formatCpuList(cpus)})`];
  for (const llc of topology.llcs) {
    const cores = coresOf(topology, llc, node);
    if (cores.length === 0) continue;
    lines.push(
      `  ${llc.level === 0 ? 'no cache known' : `L${llc.level} cache ${llc.llc}`}`,
      ...drawCores(plan, cores),
    );
  }
  return lines.join('\n');
}

/** A cache or a core may reach over nodes (sub-NUMA clustering): only this node's part is drawn. */
function coresOf(topology: Topology, llc: LlcInfo, node: NodeId): CoreInfo[] {
  const here = new Set(llc.cpus.filter((cpu) => cpuInfo(topology, cpu).node === node));
  return topology.cores
    .map(({ core, cpus }) => ({ core, cpus: cpus.filter((cpu) => here.has(cpu)) }))
    .filter(({ cpus }) => cpus.length > 0);
}

/** Two lines for each run of cores that fits the width: the CPUs, and below them their domain. */
function drawCores(plan: DomainPlan, cores: readonly CoreInfo[]): string[] {
  const workers = new Set(plan.domains.map((domain) => domain.workerCpu));
  const cells = cores.map(({ cpus }) => {
    const above = cpus.map((cpu) => `${cpu}${workers.has(cpu) ? '*' : ''}`).join('+');
    return { above, below: [...new Set(cpus.map((cpu) => domainName(plan, cpu)))].join('+') };
  });
  const width = Math.max(...cells.map(({ above, below }) => Math.max(above.length, below.length)));
  const perLine = Math.max(1, Math.floor((MAP_WIDTH - 13) / (width + 2)));
  const lines: string[] = [];
  for (let start = 0; start < cells.length; start += perLine) {
    const row = cells.slice(start, start + perLine);
    lines.push(`    cpu      ${row.map(({ above }) => above.padEnd(width)).join('  ')}`.trimEnd());
    lines.push(`    domain   ${row.map(({ below }) => below.padEnd(width)).join('  ')}`.trimEnd());
  }
  return lines;
}

function domainName(plan: DomainPlan, cpu: Cpu): string {
  return `${plan.domainOfCpu[cpu]}`;
}

function domainRow({ id, name, node, workerCpu, cpus, neighbours }: Domain): string[] {
  const shown = neighbours.slice(0, SHOWN_NEIGHBOURS).join(' ');
  const nearest = neighbours.length > SHOWN_NEIGHBOURS ? `${shown} ...` : shown;
  return [`${id}`, name, `${node}`, `${workerCpu}`, formatCpuList(cpus), nearest];
}

function distanceTable(topology: Topology): string {
  const names = topology.nodes.map(({ node }) => `${node}`);
  const rows = topology.nodes.map(({ node, distances }) => [
    `${node}`,
    ...[...distances.values()].map(String),
  ]);
  return table(['node', ...names], rows);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return [head, ...rows].map(line).join('\n');
}
