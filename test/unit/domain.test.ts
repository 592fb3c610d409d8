import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PlanError } from '../../src/domain/errors.js';
import { planToJson } from '../../src/domain/json.js';
import { type DomainPlan, planDomains } from '../../src/domain/plan.js';
import { renderPlan } from '../../src/domain/render.js';
import { DomainSpecError, parseDomainSpec } from '../../src/domain/spec.js';
import { formatCpuList } from '../../src/topology/cpulist.js';
import { readTopology } from '../../src/topology/read.js';
import type { Topology } from '../../src/topology/topology.js';
import { type Machine, sysfsFrom, sysfsTree } from '../fixtures/sysfs/tree.js';

const read = (machine: Machine): Topology => readTopology({ sysfsRoot: sysfsTree(machine) });
const plan = (machine: Machine, spec: string): DomainPlan => planDomains(read(machine), spec);
const cpusOf = ({ domains }: DomainPlan): string[] => domains.map(({ cpus }) => formatCpuList(cpus));

describe('a plan', () => {
  test('by node has a domain for each node with CPUs', () => {
    expect(cpusOf(plan('two-nodes', 'node'))).toEqual(['0-3', '4-7']);
    const { domains } = plan('memory-only-node', 'node');
    expect(domains.map(({ id, name, node }) => [id, name, node])).toEqual([
      [0, 'node0', 0],
      [1, 'node1', 1],
    ]);
  });

  test('by cache, core or machine follows the topology', () => {
    expect(cpusOf(plan('1024-cpus', 'llc'))[1]).toBe('8-15,520-527');
    expect(cpusOf(plan('offline-cpus', 'core'))).toEqual(['0-1', '2', '4', '6-7']);
    expect(cpusOf(plan('offline-cpus', 'one'))).toEqual(['0-2,4,6-7']);
  });

  test('by hand takes the lists in their order', () => {
    const { domains, domainOfCpu } = plan('two-nodes', ' 4-7 ; 0-2:2 ; 1,3 ');
    expect(domains.map(({ name, cpus, node }) => [name, formatCpuList(cpus), node])).toEqual([
      ['set0', '4-7', 1],
      ['set1', '0,2', 0],
      ['set2', '1,3', 0],
    ]);
    expect([...domainOfCpu]).toEqual([1, 2, 1, 2, 0, 0, 0, 0]);
  });

  test('puts a domain that reaches over nodes on the node of most of its CPUs', () => {
    expect(plan('two-nodes', '0-2;3-7').domains[1].node).toBe(1);
    expect(plan('two-nodes', '0-7').domains[0].node).toBe(0);
  });

  test('marks offline CPUs as in no domain', () => {
    expect([...plan('offline-cpus', 'one').domainOfCpu]).toEqual([0, 0, 0, -1, 0, -1, 0, 0]);
  });

  test('has every online CPU once, the worker inside and all others as neighbours, however the machine is cut', () => {
    const topology = read('four-nodes-smt');
    const cut = fc.array(fc.nat(3), { minLength: 16, maxLength: 16 });
    fc.assert(
      fc.property(cut, (domainOf) => {
        const used = [...new Set(domainOf)];
        const groups = used.map((domain) => topology.online.filter((cpu) => domainOf[cpu] === domain));
        const { domains, domainOfCpu } = planDomains(topology, groups.map(formatCpuList).join(';'));
        expect(domains.flatMap(({ cpus }) => cpus).sort((a, b) => a - b)).toEqual(topology.online);
        for (const { id, cpus, workerCpu, neighbours } of domains) {
          expect(cpus).toContain(workerCpu);
          expect(cpus.every((cpu) => domainOfCpu[cpu] === id)).toBe(true);
          expect([...neighbours, id].sort((a, b) => a - b)).toEqual(domains.map((domain) => domain.id));
        }
      }),
    );
  });
});

describe("a worker's CPU", () => {
  const workers = (machine: Machine, spec: string): number[] =>
    plan(machine, spec).domains.map(({ workerCpu }) => workerCpu);

  test('is the last of its domain', () => {
    expect(workers('four-nodes-smt', 'node')).toEqual([3, 7, 11, 15]);
  });
  test('is not CPU 0 unless that is the only one', () => {
    expect(workers('one-node', '0-1;2;3')).toEqual([1, 2, 3]);
    expect(workers('one-node', '0;1-3')).toEqual([0, 3]);
  });
  test('is not an efficiency core where there is a better one', () => {
    expect(workers('no-numa-big-little', 'one')).toEqual([3]);
  });
  test("is on its domain's node", () => {
    expect(workers('two-nodes', '0-3,7;4-6')).toEqual([3, 6]);
  });
});

describe('neighbours', () => {
  test('come by NUMA distance first', () => {
    expect(plan('four-nodes-smt', 'node').domains.map(({ neighbours }) => neighbours.join(' '))).toEqual([
      '1 2 3',
      '0 2 3',
      '3 0 1',
      '2 0 1',
    ]);
  });
  test('share a cache before they share a node', () => {
    const { domains } = plan('1024-cpus', '0-3,512-515;64-511,576-1023;8-63,520-575;4-7,516-519');
    expect(domains[0].neighbours[0]).toBe(3);
  });
  test('of equal distance begin with the next domain, so that not all ask domain 0', () => {
    expect(plan('one-node', 'core').domains.map(({ neighbours }) => neighbours.join(' '))).toEqual([
      '1 2 3',
      '2 3 0',
      '3 0 1',
      '0 1 2',
    ]);
  });
  test('of domains over several nodes have the mean distance of their CPUs', () => {
    expect(plan('two-nodes', '0-1,4-5;2-3;6-7').domains[0].distances).toEqual([15, 15, 15]);
  });
});

describe('a plan is refused', () => {
  const refusal = (machine: Machine, spec: string): PlanError => {
    try {
      plan(machine, spec);
    } catch (error) {
      if (error instanceof PlanError) return error;
      throw error;
    }
    throw new Error('the plan was accepted');
  };

  test.each([
    ['0-2;4-7', 'CPU 3 is in no domain'],
    ['0;7', 'CPUs 1-6 are in no domain'],
    ['0-4;3-7', 'CPUs 3-4 are in more than one domain (0 and 1)'],
    ['0-7,9', 'CPU 9 is not in this machine'],
  ])('two nodes as %s: %s', (spec, reason) => {
    expect(refusal('two-nodes', spec).message).toContain(reason);
  });

  test('naming offline CPUs', () => {
    expect(refusal('offline-cpus', '0-7').message).toBe('CPUs 3,5 are offline (online here: 0-2,4,6-7)');
  });

  test('with all that is wrong at once', () => {
    expect(refusal('offline-cpus', '0-2,5;2,4,99').message).toBe(
      'CPUs 6-7 are in no domain; CPU 2 is in more than one domain (0 and 1); ' +
        'CPU 5 is offline; CPU 99 is not in this machine (online here: 0-2,4,6-7)',
    );
  });

  test('with more than 64 domains', () => {
    expect(refusal('1024-cpus', 'core')).toMatchObject({ problem: 'too-many-domains' });
    expect(plan('1024-cpus', 'llc').domains).toHaveLength(64);
  });

  test('with more than 1024 CPUs', () => {
    const topology = readTopology({ sysfsRoot: sysfsFrom('cpu/online = 0-1024\n') });
    expect(() => planDomains(topology, 'one')).toThrow(
      'CPU 1024 is online; nodeland schedules CPUs 0 to 1023 only',
    );
  });
});

test.each([
  ['', 'expected node, llc, core, one, or CPU lists'],
  ['nodes', 'expected node, llc, core, one, or CPU lists'],
  ['0-3;', 'domain 1 has no CPU'],
  ['0-3;;4', 'domain 1 has no CPU'],
  ['0-3;7-4', 'domain 1: range 7-4 runs backwards'],
])('the domain spec %j cannot be read: %s', (spec, reason) => {
  expect(() => parseDomainSpec(spec)).toThrow(DomainSpecError);
  expect(() => parseDomainSpec(spec)).toThrow(reason);
});

describe('the text map', () => {
  test('shows nodes, caches, cores, domains, workers and distances', () => {
    const topology = read('four-nodes-smt');
    expect(renderPlan(planDomains(topology, 'node'), topology)).toMatchInlineSnapshot(`
      "machine  16 CPUs, 8 cores, 4 last-level caches, 4 nodes
      plan     node: 4 domains, * is a worker's CPU

      node 0: 4 CPUs (0-3)
        L3 cache 0
          cpu      0+1   2+3*
          domain   0     0
      node 1: 4 CPUs (4-7)
        L3 cache 1
          cpu      4+5   6+7*
          domain   1     1
      node 2: 4 CPUs (8-11)
        L3 cache 2
          cpu      8+9     10+11*
          domain   2       2
      node 3: 4 CPUs (12-15)
        L3 cache 3
          cpu      12+13   14+15*
          domain   3       3

      domain  name   node  worker  CPUs   nearest first
      0       node0  0     3       0-3    1 2 3
      1       node1  1     7       4-7    0 2 3
      2       node2  2     11      8-11   3 0 1
      3       node3  3     15      12-15  2 0 1

      node distances
      node  0   1   2   3
      0     10  16  32  32
      1     16  10  32  32
      2     32  32  10  16
      3     32  32  16  10
      "
    `);
  });
  test('shows offline CPUs and nodes of memory only', () => {
    const offline = read('offline-cpus');
    expect(renderPlan(planDomains(offline, 'one'), offline)).toContain('offline  3,5');
    const memory = read('memory-only-node');
    expect(renderPlan(planDomains(memory, 'node'), memory)).toContain('node 2: memory only');
  });
  test('of 1024 CPUs keeps to 100 columns in its map and names every CPU', () => {
    const topology = read('1024-cpus');
    const [, map = ''] = renderPlan(planDomains(topology, 'node'), topology).split('\n\n');
    expect(Math.max(...map.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
    const named = [...map.matchAll(/^ {4}cpu +(.*)$/gm)].flatMap(([, cpus = '']) => cpus.match(/\d+/g) ?? []);
    expect(named.map(Number).sort((a, b) => a - b)).toEqual(topology.online);
  });
});

test('the JSON has the plan and survives JSON', () => {
  const topology = read('two-nodes');
  const json = planToJson(planDomains(topology, 'node'), topology);
  expect(JSON.parse(JSON.stringify(json))).toEqual(json);
  expect(json).toMatchObject({
    spec: 'node',
    online: '0-7',
    domains: [
      { id: 0, name: 'node0', cpus: '0-3', node: 0, workerCpu: 3, neighbours: [1] },
      { id: 1, name: 'node1', cpus: '4-7', node: 1, workerCpu: 7, neighbours: [0] },
    ],
  });
});
