import { describe, expect, test } from 'vitest';
import { LIMIT } from '../../src/shm/layout.generated.js';
import { formatCpuList } from '../../src/topology/cpulist.js';
import { MAX_CPUS, MAX_DOMAINS, cpu, nodeId } from '../../src/topology/ids.js';
import { TopologyError, readTopology } from '../../src/topology/read.js';
import { type Topology, cpuInfo, nodeDistance } from '../../src/topology/topology.js';
import { type Machine, sysfsFrom, sysfsTree } from '../fixtures/sysfs/tree.js';

const read = (machine: Machine): Topology => readTopology({ sysfsRoot: sysfsTree(machine) });
const lists = (groups: readonly { readonly cpus: readonly number[] }[]): string[] =>
  groups.map(({ cpus }) => formatCpuList(cpus));

describe('a recorded machine', () => {
  test('with one node has all its CPUs there and one shared cache', () => {
    const topology = read('one-node');
    expect(lists(topology.nodes)).toEqual(['0-3']);
    expect(lists(topology.llcs)).toEqual(['0-3']);
    expect(topology.llcs[0].level).toBe(3);
    expect(lists(topology.cores)).toEqual(['0', '1', '2', '3']);
  });

  test('with two nodes gives each CPU its node, socket and cache', () => {
    const topology = read('two-nodes');
    expect(lists(topology.nodes)).toEqual(['0-3', '4-7']);
    expect(lists(topology.llcs)).toEqual(['0-3', '4-7']);
    expect(cpuInfo(topology, cpu(5))).toEqual({
      cpu: 5,
      node: 1,
      llc: 1,
      core: 5,
      packageId: 1,
      siblings: [5],
      capacity: 1024,
    });
  });

  test('with four nodes and SMT joins hardware threads into cores and keeps the distances', () => {
    const topology = read('four-nodes-smt');
    expect(lists(topology.nodes)).toEqual(['0-3', '4-7', '8-11', '12-15']);
    expect(lists(topology.cores)).toEqual(['0-1', '2-3', '4-5', '6-7', '8-9', '10-11', '12-13', '14-15']);
    expect(cpuInfo(topology, cpu(11)).siblings).toEqual([10, 11]);
    expect(nodeDistance(topology, nodeId(0), nodeId(1))).toBe(16);
    expect(nodeDistance(topology, nodeId(1), nodeId(3))).toBe(32);
    expect(nodeDistance(topology, nodeId(2), nodeId(2))).toBe(10);
  });

  test('with offline CPUs leaves these out of everything but the present ones', () => {
    const topology = read('offline-cpus');
    expect(formatCpuList(topology.online)).toBe('0-2,4,6-7');
    expect(formatCpuList(topology.present)).toBe('0-7');
    expect(lists(topology.nodes)).toEqual(['0-2,4,6-7']);
    expect(lists(topology.llcs)).toEqual(['0-2,4,6-7']);
    expect(lists(topology.cores)).toEqual(['0-1', '2', '4', '6-7']);
    expect(() => cpuInfo(topology, cpu(3))).toThrow(RangeError);
  });

  test('with nodes of memory only keeps these nodes and their distances', () => {
    const topology = read('memory-only-node');
    expect(lists(topology.nodes)).toEqual(['0-1', '2-3', '', '']);
    expect(nodeDistance(topology, nodeId(0), nodeId(2))).toBe(17);
    expect(nodeDistance(topology, nodeId(3), nodeId(0))).toBe(28);
  });

  test('without NUMA and cache files has one node, one made-up cache and its capacities', () => {
    const topology = read('no-numa-big-little');
    expect(lists(topology.nodes)).toEqual(['0-5']);
    expect(topology.llcs).toEqual([{ llc: 0, level: 0, cpus: [0, 1, 2, 3, 4, 5] }]);
    expect(nodeDistance(topology, nodeId(0), nodeId(0))).toBe(10);
    expect(topology.online.map((each) => cpuInfo(topology, each).capacity)).toEqual([
      1024, 1024, 1024, 1024, 446, 446,
    ]);
  });

  test('with 1024 CPUs is read whole', () => {
    const topology = read('1024-cpus');
    expect(topology.online).toHaveLength(1024);
    expect(topology.cores).toHaveLength(512);
    expect(topology.llcs).toHaveLength(64);
    expect(topology.nodes).toHaveLength(8);
    expect(cpuInfo(topology, cpu(1023))).toMatchObject({
      node: 7,
      llc: 63,
      core: 511,
      packageId: 3,
      siblings: [511, 1023],
    });
  });
});

describe('an odd machine', () => {
  test('has a CPU that no node lists in node 0', () => {
    const topology = readTopology({
      sysfsRoot: sysfsFrom(
        'cpu/online = 0-3\nnode/online = 0-1\nnode/node0/cpulist = 0\nnode/node1/cpulist = 2-3\n',
      ),
    });
    expect(lists(topology.nodes)).toEqual(['0-1', '2-3']);
  });

  test('has such a CPU in its first node when there is no node 0', () => {
    const topology = readTopology({
      sysfsRoot: sysfsFrom('cpu/online = 0-1\nnode/online = 4,8\nnode/node8/cpulist = 1\n'),
    });
    expect(topology.nodes.map(({ node, cpus }) => [node, formatCpuList(cpus)])).toEqual([
      [4, '0'],
      [8, '1'],
    ]);
  });

  test('with gaps in its node numbers reads distances by position, as the kernel writes them', () => {
    const tree = 'cpu/online = 0-1\nnode/online = 0,8\nnode/node0/cpulist = 0\nnode/node8/cpulist = 1\n';
    const distances = 'node/node0/distance = 10 40\nnode/node8/distance = 40 10\n';
    const topology = readTopology({ sysfsRoot: sysfsFrom(tree + distances) });
    expect(nodeDistance(topology, nodeId(0), nodeId(8))).toBe(40);
  });

  test('without sibling lists has siblings of equal package and core number', () => {
    const tree = 'cpu/online = 0-3\ncpu/cpu{0-3}/topology/physical_package_id = 0\n';
    const cores = 'cpu/cpu{0,2}/topology/core_id = 0\ncpu/cpu{1,3}/topology/core_id = 1\n';
    expect(lists(readTopology({ sysfsRoot: sysfsFrom(tree + cores) }).cores)).toEqual(['0,2', '1,3']);
  });

  test('whose highest cache is for instructions is grouped by the highest data cache', () => {
    const data = 'cpu/cpu{0-1}/cache/index0/level = 2\ncpu/cpu{0-1}/cache/index0/type = Data\n';
    const shared =
      'cpu/cpu{0-1}/cache/index0/shared_cpu_list = {n}\ncpu/cpu{0-1}/cache/index1/shared_cpu_list = 0-1\n';
    const code = 'cpu/cpu{0-1}/cache/index1/level = 3\ncpu/cpu{0-1}/cache/index1/type = Instruction\n';
    expect(
      lists(readTopology({ sysfsRoot: sysfsFrom(`cpu/online = 0-1\n${data}${shared}${code}`) }).llcs),
    ).toEqual(['0', '1']);
  });

  test('without any CPU is refused with the folder looked at', () => {
    expect(() => readTopology({ sysfsRoot: '/nowhere' })).toThrow(TopologyError);
    expect(() => readTopology({ sysfsRoot: '/nowhere' })).toThrow('/nowhere/devices/system/cpu');
  });
});

test('this machine has every online CPU in exactly one node, cache and core', () => {
  const topology = readTopology();
  for (const groups of [topology.nodes, topology.llcs, topology.cores]) {
    expect(groups.flatMap(({ cpus }) => cpus).sort((a, b) => a - b)).toEqual(topology.online);
  }
});

test('the limits are those of the shared memory', () => {
  expect([MAX_CPUS, MAX_DOMAINS]).toEqual([LIMIT.MAX_CPUS, LIMIT.MAX_DOMAINS]);
});
