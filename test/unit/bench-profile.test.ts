import { describe, expect, test } from 'vitest';
import {
  InstructionCounts,
  parseSymbols,
  partOf,
  PARTS,
  shortName,
  USER_SPACE,
} from '../../bench/profile/instructions.js';

const KALLSYMS = `ffffffff81000100 T __schedule
ffffffff81000000 T __switch_to
ffffffff81000200 d some_data
ffffffffc0000000 t bpf_prog_786928677f666254_nodeland_enqueue\t[bpf]
`;
const line = (address: string, cpu = 0): string =>
  `Trace ${cpu}: 0x7f6c9e1f4f40 [00000000/${address}/18c4c2b0/ff022200] `;

function counted(...lines: readonly string[]): InstructionCounts {
  const counts = new InstructionCounts(parseSymbols(KALLSYMS));
  for (const one of lines) counts.add(one);
  return counts;
}

describe('instructions by function', () => {
  test('functions are sorted by address, and data is none', () => {
    expect(parseSymbols(KALLSYMS).names).toEqual([
      '__switch_to',
      '__schedule',
      'bpf_prog_786928677f666254_nodeland_enqueue',
    ]);
  });

  test('an instruction is of the function that begins last before it; a call is its first one', () => {
    const counts = counted(
      line('ffffffff81000000'),
      line('ffffffff81000004', 1),
      line('ffffffff81000000', 3),
      line('ffffffffc0000010'),
    );
    expect(counts.instructions).toBe(4);
    expect(Object.fromEntries(counts.byName)).toEqual({
      __switch_to: { instructions: 3, calls: 2 },
      bpf_prog_786928677f666254_nodeland_enqueue: { instructions: 1, calls: 0 },
    });
    expect(counts.calls('__schedule')).toBe(0);
  });

  test('user space, and what lies before the first function, has no name', () => {
    const counts = counted(line('00007f2a10000000'), line('ffff888000000000'));
    expect(counts.byName.get(USER_SPACE)).toEqual({ instructions: 2, calls: 0 });
  });

  test.each(['', 'QEMU 10.0.0 monitor', 'Trace 0: 0x7f6c9e1f4f40', 'Trace 0: 0x7f [0/zz/0/0] '])(
    'other lines are left out: "%s"',
    (text) => {
      expect(counted(text).instructions).toBe(0);
    },
  );
});

test('names tell where an instruction belongs', () => {
  const parts = {
    bpf_prog_786928677f666254_nodeland_enqueue: PARTS[0],
    __bpf_prog_enter: PARTS[1],
    bpf_task_storage_get: PARTS[1],
    scx_bpf_now: PARTS[2],
    do_pick_task_scx: PARTS[2],
    __schedule: PARTS[3],
    [USER_SPACE]: USER_SPACE,
  };
  expect(Object.fromEntries(Object.keys(parts).map((name) => [name, partOf(name)]))).toEqual(parts);
  expect(shortName('bpf_prog_786928677f666254_nodeland_enqueue')).toBe('nodeland_enqueue');
  expect(shortName('__schedule')).toBe('__schedule');
});
