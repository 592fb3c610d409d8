import { SandboxError } from './errors.js';

/** How much machine to build. All fields have defaults; see {@link planMachine}. */
export interface MachineOptions {
  /** CPUs in all, split evenly over the nodes. Default 4. */
  readonly cpus?: number | undefined;
  /** NUMA nodes, one socket each. Default 2, or 1 where there is only one CPU. */
  readonly nodes?: number | undefined;
  /** SMT threads per core. Default 1. */
  readonly smtThreads?: number | undefined;
  /** Memory of the whole machine, split evenly over the nodes. Default 2. */
  readonly memoryGiB?: number | undefined;
}

export interface MachineNode {
  readonly firstCpu: number;
  readonly lastCpu: number;
  readonly memoryMiB: number;
}

/** A machine to build: pure data, checked. */
export interface MachinePlan {
  readonly cpus: number;
  readonly coresPerNode: number;
  readonly smtThreads: number;
  readonly memoryMiB: number;
  readonly nodes: readonly MachineNode[];
  /** distances[a][b] as in an ACPI SLIT: 10 is local. */
  readonly distances: readonly (readonly number[])[];
}

const LOCAL_DISTANCE = 10;
const NEAR_DISTANCE = 20;
const FAR_DISTANCE = 30;
const MIN_NODE_MIB = 256;

/** ringDistances: up to three nodes are all neighbours; from four on they form a ring, and what is not a neighbour is far. */
export function ringDistances(nodes: number): number[][] {
  return Array.from({ length: nodes }, (_, a) =>
    Array.from({ length: nodes }, (_, b) => {
      if (a === b) return LOCAL_DISTANCE;
      const hops = Math.min((a - b + nodes) % nodes, (b - a + nodes) % nodes);
      return hops === 1 ? NEAR_DISTANCE : FAR_DISTANCE;
    }),
  );
}

/** planMachine checks the options and lays out CPUs and memory over the nodes. Throws SandboxError ('options'). */
export function planMachine(options: MachineOptions, maxCpus: number): MachinePlan {
  const cpus = options.cpus ?? 4;
  const smtThreads = options.smtThreads ?? 1;
  const nodeCount = options.nodes ?? (cpus >= 2 * smtThreads ? 2 : 1);
  const memoryMiB = Math.floor((options.memoryGiB ?? 2) * 1024);

  requireInteger('CPUs', cpus, maxCpus);
  requireInteger('NUMA nodes', nodeCount, 64);
  requireInteger('SMT threads per core', smtThreads, 8);
  if (cpus % (nodeCount * smtThreads) !== 0) {
    const unit = smtThreads === 1 ? '' : ` with ${String(smtThreads)} threads per core`;
    throw optionError(
      `${String(cpus)} CPUs cannot be split evenly over ${String(nodeCount)} NUMA nodes${unit}`,
    );
  }
  const nodeMiB = Math.floor(memoryMiB / nodeCount);
  if (!(nodeMiB >= MIN_NODE_MIB)) {
    throw optionError(
      `each NUMA node needs at least ${String(MIN_NODE_MIB)} MiB: ${String(nodeCount)} nodes need ` +
        `${String((nodeCount * MIN_NODE_MIB) / 1024)} GiB or more`,
    );
  }

  const cpusPerNode = cpus / nodeCount;
  return {
    cpus,
    coresPerNode: cpusPerNode / smtThreads,
    smtThreads,
    memoryMiB: nodeMiB * nodeCount,
    nodes: Array.from({ length: nodeCount }, (_, node) => ({
      firstCpu: node * cpusPerNode,
      lastCpu: (node + 1) * cpusPerNode - 1,
      memoryMiB: nodeMiB,
    })),
    distances: ringDistances(nodeCount),
  };
}

function requireInteger(what: string, value: number, max: number): void {
  if (!Number.isInteger(value) || value < 1 || value > max) {
    throw optionError(`${what} must be a whole number from 1 to ${String(max)}, not ${String(value)}`);
  }
}

function optionError(message: string): SandboxError {
  return new SandboxError(message, 'options');
}
