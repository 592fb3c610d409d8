/**
 * A reader for BTF, the kernel's type format, as far as C structs and enums need it
 * (Documentation/bpf/btf.rst). Used by the layout generator and at load.
 */
import { cString, ElfError, sectionOf } from './elf.js';

/** BtfType is one type of a .BTF section, reduced to what a memory layout depends on. */
export type BtfType =
  | { kind: 'int'; name: string; bytes: number; signed: boolean }
  | { kind: 'array'; element: number; length: number }
  | { kind: 'struct' | 'union'; name: string; bytes: number; members: BtfMember[] }
  | { kind: 'enum'; name: string; bytes: number; values: BtfEnumValue[] }
  | { kind: 'alias'; target: number }
  | { kind: 'pointer' }
  | { kind: 'other' };

export interface BtfMember {
  name: string;
  type: number;
  /** Offset in bits, as BTF has it. */
  offsetBits: number;
  /** Width of a bit field, 0 for an ordinary member. */
  bitFieldBits: number;
}

export interface BtfEnumValue {
  name: string;
  value: number;
}

const BTF_MAGIC = 0xeb9f;

const KIND = {
  int: 1,
  pointer: 2,
  array: 3,
  struct: 4,
  union: 5,
  enum: 6,
  typedef: 8,
  volatile: 9,
  const: 10,
  restrict: 11,
  funcProto: 13,
  var: 14,
  dataSection: 15,
  declTag: 17,
  typeTag: 18,
  enum64: 19,
} as const;

/** readBtf reads all types of an object file. The index in the result is the BTF type id; id 0 is void. */
export function readBtf(object: Uint8Array): BtfType[] {
  const section = sectionOf(object, '.BTF');
  const view = new DataView(section.buffer, section.byteOffset, section.byteLength);
  if (section.byteLength < 24 || view.getUint16(0, true) !== BTF_MAGIC) throw new ElfError('.BTF: bad magic');
  const headerBytes = view.getUint32(4, true);
  const typesAt = headerBytes + view.getUint32(8, true);
  const typesEnd = typesAt + view.getUint32(12, true);
  const stringsAt = headerBytes + view.getUint32(16, true);
  if (typesEnd > section.byteLength) throw new ElfError('.BTF: truncated');
  const u32 = (at: number): number => view.getUint32(at, true);
  const string = (offset: number): string => cString(section, stringsAt + offset);

  const types: BtfType[] = [{ kind: 'other' }];
  let at = typesAt;
  while (at < typesEnd) {
    const name = string(u32(at));
    const info = u32(at + 4);
    const sizeOrType = u32(at + 8);
    const count = info & 0xffff;
    const kind = (info >>> 24) & 0x1f;
    const flagged = info >>> 31 === 1;
    at += 12;
    switch (kind) {
      case KIND.int:
        types.push({ kind: 'int', name, bytes: sizeOrType, signed: ((u32(at) >>> 24) & 1) === 1 });
        at += 4;
        break;
      case KIND.array:
        types.push({ kind: 'array', element: u32(at), length: u32(at + 8) });
        at += 12;
        break;
      case KIND.struct:
      case KIND.union: {
        const members: BtfMember[] = [];
        for (let i = 0; i < count; i++, at += 12) {
          const offset = u32(at + 8);
          members.push({
            name: string(u32(at)),
            type: u32(at + 4),
            offsetBits: flagged ? offset & 0xffffff : offset,
            bitFieldBits: flagged ? offset >>> 24 : 0,
          });
        }
        types.push({ kind: kind === KIND.struct ? 'struct' : 'union', name, bytes: sizeOrType, members });
        break;
      }
      case KIND.enum: {
        const values: BtfEnumValue[] = [];
        for (let i = 0; i < count; i++, at += 8) {
          values.push({ name: string(u32(at)), value: flagged ? view.getInt32(at + 4, true) : u32(at + 4) });
        }
        types.push({ kind: 'enum', name, bytes: sizeOrType, values });
        break;
      }
      case KIND.enum64: {
        const values: BtfEnumValue[] = [];
        for (let i = 0; i < count; i++, at += 12) {
          const high = flagged ? view.getInt32(at + 8, true) : u32(at + 8);
          values.push({ name: string(u32(at)), value: high * 2 ** 32 + u32(at + 4) });
        }
        types.push({ kind: 'enum', name, bytes: sizeOrType, values });
        break;
      }
      case KIND.typedef:
      case KIND.volatile:
      case KIND.const:
      case KIND.restrict:
      case KIND.typeTag:
        types.push({ kind: 'alias', target: sizeOrType });
        break;
      case KIND.pointer:
        types.push({ kind: 'pointer' });
        break;
      default:
        types.push({ kind: 'other' });
        at += trailingBytes(kind, count);
    }
  }
  return types;
}

/** trailingBytes tells how many bytes follow the common part of the kinds that no layout depends on. */
function trailingBytes(kind: number, count: number): number {
  if (kind === KIND.funcProto) return count * 8;
  if (kind === KIND.dataSection) return count * 12;
  if (kind === KIND.var || kind === KIND.declTag) return 4;
  return 0;
}
