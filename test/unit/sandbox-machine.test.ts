import { describe, expect, it } from 'vitest';
import { sandboxArch } from '../../src/sandbox/arch.js';
import { planMachine, ringDistances } from '../../src/sandbox/machine.js';
import { type QemuSpec, qemuArgs } from '../../src/sandbox/qemu-args.js';

describe('a machine plan', () => {
  it('has 4 CPUs in 2 nodes unless told otherwise, and one node where there is one CPU', () => {
    expect(planMachine({}, 240).nodes).toEqual([
      { firstCpu: 0, lastCpu: 1, memoryMiB: 1024 },
      { firstCpu: 2, lastCpu: 3, memoryMiB: 1024 },
    ]);
    expect(planMachine({ cpus: 1 }, 240).nodes).toHaveLength(1);
  });

  it('counts SMT threads into the CPUs of a node', () => {
    const plan = planMachine({ cpus: 16, nodes: 4, smtThreads: 2 }, 240);
    expect(plan.coresPerNode).toBe(2);
    expect(plan.nodes.map((node) => [node.firstCpu, node.lastCpu])).toEqual([
      [0, 3],
      [4, 7],
      [8, 11],
      [12, 15],
    ]);
  });

  it.each([
    [{ cpus: 6, nodes: 4 }, /6 CPUs cannot be split evenly over 4 NUMA nodes/],
    [{ cpus: 4, nodes: 4, smtThreads: 2 }, /with 2 threads per core/],
    [{ cpus: 0 }, /CPUs must be a whole number from 1 to 240, not 0/],
    [{ cpus: 241, nodes: 1 }, /not 241/],
    [{ cpus: 8, nodes: 8, memoryGiB: 1 }, /8 nodes need 2 GiB or more/],
    [{ memoryGiB: Number.NaN }, /at least 256 MiB/],
  ])('refuses %j in words', (options, message) => {
    expect(() => planMachine(options, 240)).toThrow(message);
  });

  it('puts four and more nodes on a ring: neighbours near, the others far, symmetric', () => {
    expect(ringDistances(2)).toEqual([
      [10, 20],
      [20, 10],
    ]);
    expect(
      ringDistances(3)
        .flat()
        .filter((distance) => distance === 30),
    ).toEqual([]);
    expect(ringDistances(4)).toEqual([
      [10, 20, 30, 20],
      [20, 10, 20, 30],
      [30, 20, 10, 20],
      [20, 30, 20, 10],
    ]);
    const ring = ringDistances(8);
    ring.forEach((row, a) => row.forEach((distance, b) => expect(distance).toBe(ring[b][a])));
  });
});

describe('the QEMU command line', () => {
  const spec: QemuSpec = {
    arch: sandboxArch('x64')!,
    plan: planMachine({ cpus: 8, nodes: 2 }, 240),
    accel: 'emulated',
    kernelFile: '/k/vmlinuz',
    shares: [{ tag: 'workspace', hostPath: '/a,b', readonly: false }],
  };

  it('binds CPUs and memory to their nodes', () => {
    const args = qemuArgs(spec);
    expect(args).toContain('cpus=8,sockets=2,cores=4,threads=1');
    expect(args).toContain('node,nodeid=1,memdev=mem1,cpus=4-7');
    expect(args).toContain('dist,src=0,dst=1,val=20');
  });

  it('doubles commas in paths, as QEMU wants them', () => {
    expect(qemuArgs(spec).join(' ')).toContain('path=/a,,b,mount_tag=workspace');
  });

  it('listens for commands only where it is told to', () => {
    expect(qemuArgs(spec).join(' ')).toContain('-monitor none');
    expect(qemuArgs({ ...spec, monitorSocket: '/a,b' }).join(' ')).toContain(
      '-monitor unix:/a,,b,server=on,wait=off',
    );
  });

  it('counts instructions as time only when it must be deterministic', () => {
    expect(qemuArgs(spec)).not.toContain('-icount');
    expect(qemuArgs({ ...spec, accel: 'deterministic' })).toContain('shift=1,sleep=off');
  });
});
