import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ElfError } from '../../src/shm/elf.js';
import * as generated from '../../src/shm/layout.generated.js';
import { layoutText } from '../../src/shm/layout-text.js';
import {
  assertLayout,
  hashOf,
  type Layout,
  LayoutError,
  layoutHashOf,
  readLayout,
} from '../../src/shm/layout.js';

/** Compiles a header that defines `struct nl_types`, as the BPF objects do. */
function compile(folder: string, types: string): Uint8Array {
  const source = join(folder, 'sample.c');
  const output = join(folder, 'sample.o');
  const integers =
    'typedef unsigned char __u8; typedef unsigned short __u16; typedef unsigned int __u32;\n' +
    'typedef int __s32; typedef long long __s64; typedef unsigned long long __u64;\n';
  writeFileSync(source, `${integers}${types}\nint nl_types(struct nl_types *t) { return t != 0; }\n`);
  const clang = process.env['CLANG'] ?? 'clang-19';
  execFileSync(clang, ['-target', 'bpf', '-g', '-O1', '-c', source, '-o', output]);
  return readFileSync(output);
}

const SAMPLE = `
enum nl_kind { NL_KIND_ONE, NL_KIND_TWO, NL_NR_KINDS };
enum nl_bit { NL_BIT_LOW = 1, NL_BIT_HIGH = 0xffffffff };
struct nl_inner { __u16 half; __u8 bytes[6]; };
struct private_state { __u32 anything; };
struct nl_outer { __u32 first_field; enum nl_kind kind; __u64 time_ns; struct nl_inner inner[2]; __u32 reserved[3]; __s32 nice; };
struct nl_types { struct nl_outer outer; enum nl_bit bit; };
`;

describe('the memory layout', () => {
  let folder = '';
  let object: Uint8Array = new Uint8Array();
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'nodeland-layout-test-'));
    object = compile(folder, SAMPLE);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('is read from a compiled object: sizes, offsets, element types, enums', () => {
    const layout = readLayout(object);
    expect(layout.structs.map(({ name, bytes }) => [name, bytes])).toEqual([
      ['nl_inner', 8],
      ['nl_outer', 48],
    ]);
    expect(layout.structs[1].fields.map(({ name, offsetBytes, type }) => [name, offsetBytes, type])).toEqual([
      ['first_field', 0, 'u32'],
      ['kind', 4, 'enum nl_kind'],
      ['time_ns', 8, 'u64'],
      ['inner', 16, 'struct nl_inner[2]'],
      ['reserved', 32, 'u32[3]'],
      ['nice', 44, 's32'],
    ]);
    expect(layout.enums[0]).toEqual({
      name: 'nl_bit',
      values: [
        { name: 'NL_BIT_LOW', value: 1 },
        { name: 'NL_BIT_HIGH', value: 0xffffffff },
      ],
    });
  });

  it('is written as TypeScript with short names, words, and name lists', () => {
    const text = layoutText(readLayout(object));
    expect(text).toContain("export const KIND_NAMES = ['one', 'two'] as const;");
    expect(text).toContain('  ONE: 0,\n  TWO: 1,\n  NR_KINDS: 2,\n');
    expect(text).toMatch(/export const OUTER = {\n {2}bytes: 48,\n {2}words: 12,/);
    expect(text).toContain('    timeNs: 2,\n');
    expect(text).not.toContain('reserved');
  });

  it('has a hash that changes with any field, and with nothing else', () => {
    const hash = layoutHashOf(object);
    const hashWith = (from: string, to: string): string =>
      layoutHashOf(compile(folder, SAMPLE.replace(from, to)));
    expect(hashWith('private_state', 'other_state')).toBe(hash);
    expect(hashWith('__u32 first_field', '__s32 first_field')).not.toBe(hash);
    expect(hashWith('time_ns', 'time_us')).not.toBe(hash);
    expect(hashWith('bytes[6]', 'bytes[4]')).not.toBe(hash);
    expect(hashWith('NL_KIND_TWO', 'NL_KIND_TWO = 2')).not.toBe(hash);
  });

  it('refuses an object of another layout, naming both hashes and what to do', () => {
    expect(() => assertLayout(object, 'sample.o', hashOf(readLayout(object)))).not.toThrow();
    expect(() => assertLayout(object, 'sample.o', 'feedfeedfeedfeed')).toThrow(LayoutError);
    expect(() => assertLayout(object, 'sample.o', 'feedfeedfeedfeed')).toThrow(
      /sample\.o.*feedfeedfeedfeed.*npm run build/,
    );
  });

  it('says what is wrong with a file that is no BPF object', () => {
    expect(() => layoutHashOf(new Uint8Array(100))).toThrow(ElfError);
    expect(() => layoutHashOf(object.subarray(0, 200))).toThrow(/truncated/);
    expect(() => layoutHashOf(compile(folder, 'struct nl_types; '))).toThrow(/no struct nl_types/);
  });
});

describe('the generated layout', () => {
  it('holds what the rings rely on', () => {
    expect(generated.TASK_ENTRY.bytes).toBe(16);
    expect(generated.DECISION.bytes).toBe(32);
    expect(generated.SLOT.bytes).toBe(256);
    expect(generated.DECISION.byte.cpu).toBe(generated.DECISION.byte.generation + 2);
    expect(generated.TASK_ENTRY.byte.flags).toBe(generated.TASK_ENTRY.byte.generation + 2);
    expect(generated.COUNTER_NAMES).toHaveLength(generated.COUNTER.NR_COUNTERS);
  });

  it('keeps what different sides write 128 bytes apart', () => {
    const { byte } = generated.DOMAIN;
    for (const field of [
      byte.clockNs,
      byte.progress,
      byte.taskTail,
      byte.taskHead,
      byte.decisionTail,
      byte.wakeRequest,
    ]) {
      expect(field % 128).toBe(0);
    }
  });

  it('is what bpf/abi.h compiles to', () => {
    const folder = mkdtempSync(join(tmpdir(), 'nodeland-layout-test-'));
    const header = readFileSync(new URL('../../bpf/abi.h', import.meta.url), 'utf8');
    const types = [...header.matchAll(/^((?:struct|enum) nl_\w+) \{/gm)].map(
      ([, type], i) => `${type} t${i};`,
    );
    const layout: Layout = readLayout(compile(folder, `${header}\nstruct nl_types { ${types.join(' ')} };`));
    rmSync(folder, { recursive: true });
    expect(generated.LAYOUT_HASH).toBe(hashOf(layout));
  });
});
