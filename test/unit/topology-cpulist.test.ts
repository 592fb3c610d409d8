import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CpuListError, formatCpuList, parseCpuList } from '../../src/topology/cpulist.js';

test.each([
  ['', []],
  ['\n', []],
  ['0', [0]],
  ['0-3,8-11', [0, 1, 2, 3, 8, 9, 10, 11]],
  ['3,1,2,1', [1, 2, 3]],
  [' 0 , 2 - 4 '.replaceAll(' - ', '-'), [0, 2, 3, 4]],
  ['0-6:2', [0, 2, 4, 6]],
  ['1-6:3', [1, 4]],
  ['0-15:2/8', [0, 1, 8, 9]],
  ['0-9:3/4', [0, 1, 2, 4, 5, 6, 8, 9]],
])('%j is read as %j', (text, cpus) => {
  expect(parseCpuList(text)).toEqual(cpus);
});

test.each([
  ['x', '"x" is not a CPU number'],
  ['-1', '"-1" is not a CPU number'],
  ['1,,2', 'an empty part'],
  ['1-', '"1-"'],
  ['3-1', 'range 3-1 runs backwards'],
  ['0-6:0', 'a stride of 0'],
  ['0-6:3/2', 'takes 3 of every 2'],
  ['4:2', '"4:2"'],
  ['0-4294967295', 'beyond the highest CPU number'],
  ['1e3', '"1e3"'],
])('%j is refused: %s', (text, reason) => {
  expect(() => parseCpuList(text)).toThrow(CpuListError);
  expect(() => parseCpuList(text)).toThrow(reason);
});

test('any set of CPUs comes back from its list, ascending', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(1023)), (cpus) => {
      expect(parseCpuList(formatCpuList(cpus))).toEqual([...cpus].sort((a, b) => a - b));
    }),
  );
});

test('a list is written in the fewest ranges', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(200), { minLength: 1 }), (cpus) => {
      const starts = cpus.filter((each) => !cpus.includes(each - 1)).length;
      expect(formatCpuList(cpus).split(',')).toHaveLength(starts);
    }),
  );
});

test('a stride takes every CPU a whole number of strides from the first, and no other', () => {
  fc.assert(
    fc.property(fc.nat(100), fc.nat(100), fc.integer({ min: 1, max: 20 }), (first, length, stride) => {
      const all = Array.from({ length: length + 1 }, (_, index) => first + index);
      const expected = all.filter((each) => (each - first) % stride === 0);
      expect(parseCpuList(`${first}-${first + length}:${stride}`)).toEqual(expected);
    }),
  );
});

test('any text gives ascending CPU numbers or a CpuListError', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9,:/ -]{0,20}$/)), (text) => {
      try {
        const cpus = parseCpuList(text);
        expect(cpus).toEqual([...new Set(cpus)].sort((a, b) => a - b));
      } catch (error) {
        expect(error).toBeInstanceOf(CpuListError);
      }
    }),
  );
});
