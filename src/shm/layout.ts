/** The memory layout of the nl_ types, as read from a compiled object, and its hash. */
import { createHash } from 'node:crypto';
import { type BtfType, readBtf } from './btf.js';

export interface LayoutField {
  name: string;
  offsetBytes: number;
  bytes: number;
  /** "u32", "u8[16]", "struct nl_order", "enum nl_owner". */
  type: string;
}

export interface LayoutStruct {
  name: string;
  bytes: number;
  fields: LayoutField[];
}

export interface LayoutEnum {
  name: string;
  values: { name: string; value: number }[];
}

export interface Layout {
  structs: LayoutStruct[];
  enums: LayoutEnum[];
}

/** LayoutError: the object was not built from the header this TypeScript was built for. */
export class LayoutError extends Error {
  override name = 'LayoutError';
}

/** The struct that names every type of the contract by value, so that the compiler keeps all of them. */
const ROOT = 'nl_types';

/**
 * readLayout reads the contract's types from a BPF object: everything that `struct nl_types` holds, directly or
 * not. Types outside it (maps, task storage) are the kernel side's own business.
 */
export function readLayout(object: Uint8Array): Layout {
  const types = readBtf(object);
  const root = types.find((type) => type.kind === 'struct' && type.name === ROOT);
  if (root?.kind !== 'struct') throw new LayoutError(`the object's BTF has no struct ${ROOT}`);
  const structs = new Map<string, LayoutStruct>();
  const enums = new Map<string, LayoutEnum>();

  const describe = (id: number): { bytes: number; type: string } => {
    const type: BtfType = types[id] ?? { kind: 'other' };
    switch (type.kind) {
      case 'alias':
        return describe(type.target);
      case 'int':
        return {
          bytes: type.bytes,
          type: `${type.signed && type.name !== 'char' ? 's' : 'u'}${type.bytes * 8}`,
        };
      case 'pointer':
        return { bytes: 8, type: 'pointer' };
      case 'array': {
        const element = describe(type.element);
        return { bytes: element.bytes * type.length, type: `${element.type}[${type.length}]` };
      }
      case 'enum':
        enums.set(type.name, { name: type.name, values: type.values });
        return { bytes: type.bytes, type: `enum ${type.name}` };
      case 'struct': {
        if (!structs.has(type.name)) {
          const struct: LayoutStruct = { name: type.name, bytes: type.bytes, fields: [] };
          structs.set(type.name, struct);
          struct.fields = fieldsOf(type.name, type.members, describe);
        }
        return { bytes: type.bytes, type: `struct ${type.name}` };
      }
      case 'union':
      case 'other':
        throw new LayoutError(`type ${id} is of a kind the shared memory contract does not use`);
    }
  };
  for (const member of root.members) describe(member.type);
  const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : 1);
  return { structs: [...structs.values()].sort(byName), enums: [...enums.values()].sort(byName) };
}

function fieldsOf(
  struct: string,
  members: { name: string; type: number; offsetBits: number; bitFieldBits: number }[],
  describe: (id: number) => { bytes: number; type: string },
): LayoutField[] {
  return members.map((member) => {
    if (member.bitFieldBits > 0) throw new LayoutError(`${struct}.${member.name}: bit fields are not used`);
    return { name: member.name, offsetBytes: member.offsetBits / 8, ...describe(member.type) };
  });
}

/** canonicalText writes a layout as text: equal for equal layouts, whatever the compiler numbered its types. */
export function canonicalText(layout: Layout): string {
  const structs = layout.structs.map(
    ({ name, bytes, fields }) =>
      `struct ${name} ${bytes}\n` +
      fields.map((field) => ` ${field.offsetBytes} ${field.bytes} ${field.type} ${field.name}\n`).join(''),
  );
  const enums = layout.enums.map(
    ({ name, values }) =>
      `enum ${name}\n` + values.map((value) => ` ${value.name} ${value.value}\n`).join(''),
  );
  return structs.join('') + enums.join('');
}

/** hashOf is the layout's hash: the first 16 hexadecimal digits of SHA-256 over its canonical text. */
export function hashOf(layout: Layout): string {
  return createHash('sha256').update(canonicalText(layout)).digest('hex').slice(0, 16);
}

/** layoutHashOf is the layout hash of a compiled BPF object. */
export function layoutHashOf(object: Uint8Array): string {
  return hashOf(readLayout(object));
}

/**
 * assertLayout refuses an object whose memory layout is not the one this TypeScript was built for.
 *
 * @throws LayoutError naming both hashes and what to do.
 */
export function assertLayout(object: Uint8Array, objectName: string, expectedHash: string): void {
  const found = layoutHashOf(object);
  if (found === expectedHash) return;
  throw new LayoutError(
    `${objectName} has memory layout ${found}, but this build of nodeland expects ${expectedHash}: ` +
      'the two were not built from the same bpf/abi.h (run `npm run build`)',
  );
}
