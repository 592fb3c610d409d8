/** Attach and detach under load, a few times and many. */
import { expect, test } from 'vitest';

import { expectQuietKernel, FaultMachine } from './machine.js';

interface Held {
  readonly fds: number;
  readonly maps: number;
  readonly residentKiB: number;
}

interface CyclesRecord {
  readonly exitCode: number | null;
  readonly stderr: string;
  readonly attached: number;
  readonly seconds: number;
  readonly before: Held;
  readonly settled: Held;
  readonly after: Held;
  readonly bpfBefore: object;
  readonly bpfAfter: object;
  readonly rejected: string;
  readonly loads: readonly (number | null)[];
  readonly runs: readonly {
    readonly exitCode: number | null;
    readonly stderr: string;
    readonly state: string;
  }[];
}

/** Mappings that come and go with the heap; a leak would be at least one for each object. */
const MAPS_MAX = 16;
/** Growth that is the allocator's and the collector's own business; one object's memory is several times as large. */
const GROWTH_KIB_MAX = 4096;

export function testReload(group: string, cycles: number): void {
  // Nobody's latency is judged here, and a machine whose CPUs run side by side gets more done. More of them than a small host
  // has would only wait for one another.
  const machine = new FaultMachine(
    group,
    [String(cycles)],
    { accel: 'emulated', cpus: 2, silenceLimitS: undefined },
    'reload',
  );
  const record = (): CyclesRecord => machine.record('cycles') as unknown as CyclesRecord;

  test(`attaches and detaches ${cycles} times under load in one process, and keeps nothing of it`, () => {
    const { exitCode, stderr, attached, seconds, before, settled, after } = record();
    machine.note({ cycles, attached, seconds, before, settled, after });
    expect(exitCode, stderr).toBe(0);
    expect(attached).toBe(cycles);
    expect(after.fds).toBe(settled.fds);
    expect(after.maps).toBeLessThanOrEqual(settled.maps + MAPS_MAX);
    expect(after.residentKiB).toBeLessThan(settled.residentKiB + GROWTH_KIB_MAX);
  });

  test('leaves no BPF object behind and has rejected no task', () => {
    expect(record().bpfAfter).toEqual(record().bpfBefore);
    expect(record().rejected).toBe('0');
    expect(record().loads.every((exitCode) => exitCode === 0)).toBe(true);
    expectQuietKernel(machine);
  });

  test('three whole runs, one after another, end as they should', () => {
    for (const { exitCode, stderr, state } of record().runs)
      expect([exitCode, state], stderr).toEqual([0, 'disabled']);
  });
}
