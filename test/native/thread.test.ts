import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

import { native } from '../../src/kernel/native.js';

test('a pinned thread runs where it is told, and goes free again', () => {
  const all = native().threadAffinity();
  try {
    for (const cpu of all) {
      native().pinThread([cpu]);
      expect(native().currentCpu()).toBe(cpu);
      expect(native().threadAffinity()).toEqual([cpu]);
    }
  } finally {
    native().pinThread(all);
  }
  expect(native().threadAffinity()).toEqual(all);
});

test('a thread cannot be pinned to CPUs that do not exist, or to none', () => {
  expect(() => native().pinThread([5000])).toThrow('EINVAL');
  expect(() => native().pinThread([])).toThrow(RangeError);
  expect(() => native().pinThread([-1])).toThrow(RangeError);
  expect(() => native().pinThread('0' as never)).toThrow(TypeError);
});

test("a thread's name is its comm, of 15 bytes", () => {
  const comm = (): string => readFileSync(`/proc/self/task/${native().threadId()}/comm`, 'utf8').trim();
  const before = comm();
  native().setThreadName('nodeland-domain-12');
  expect(comm()).toBe('nodeland-domain');
  native().setThreadName(before);
});

test('page faults are counted, with and without an object', () => {
  const into = new Float64Array(2);
  const before = native().pageFaults();
  const touched = Buffer.alloc(64 * 1024 * 1024, 1);
  native().pageFaultsInto(into);
  expect(touched.length).toBeGreaterThan(0);
  expect(into[0]).toBeGreaterThan(before.minor);
  expect(into[1]).toBeGreaterThanOrEqual(before.major);
  expect(() => native().pageFaultsInto(new Float64Array(1))).toThrow(TypeError);
});

test('yielding comes back', () => {
  const cpu = native().currentCpu();
  native().yieldThread();
  expect(native().threadAffinity()).toContain(cpu);
});

test("the running kernel's enums, structs and functions are known by name", () => {
  expect(native().kernelEnumValue('bpf_map_type', 'BPF_MAP_TYPE_ARRAY')).toBe(2n);
  expect(native().kernelEnumValue('bpf_map_type', 'NO_SUCH_VALUE')).toBeNull();
  expect(native().kernelEnumValue('no_such_enum', 'X')).toBeNull();
  expect(native().kernelHas('struct', 'task_struct')).toBe(true);
  expect(native().kernelHas('func', 'no_such_function')).toBe(false);
  expect(() => native().kernelHas('union' as never, 'x')).toThrow(TypeError);
});

test('a thread goes into SCHED_EXT and back, where the kernel has it', () => {
  const policy = (): string => {
    const stat = readFileSync(`/proc/self/task/${native().threadId()}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')')).split(' ')[39];
  };
  if (native().kernelHas('struct', 'sched_ext_ops')) {
    native().schedExtSelf(true);
    expect(policy()).toBe('7');
  } else {
    expect(() => native().schedExtSelf(true)).toThrow('no sched_ext');
  }
  native().schedExtSelf(false);
  expect(policy()).toBe('0');
});
