/** ElfError says why bytes are not a BPF object that can be read. */
export class ElfError extends Error {
  override name = 'ElfError';
}

const ELF_MAGIC = 0x464c457f;
const CLASS_64 = 2;
const SECTION_HEADERS_AT = 0x28;
const SECTION_HEADER_BYTES_AT = 0x3a;
const SECTION_COUNT_AT = 0x3c;
const SECTION_NAMES_AT = 0x3e;

/** sectionOf returns the bytes of a named section of a 64-bit little-endian ELF file, without copying. */
export function sectionOf(object: Uint8Array, name: string): Uint8Array {
  const view = new DataView(object.buffer, object.byteOffset, object.byteLength);
  if (object.byteLength < 64 || view.getUint32(0, true) !== ELF_MAGIC) throw new ElfError('not an ELF file');
  if (view.getUint8(4) !== CLASS_64 || view.getUint8(5) !== 1) {
    throw new ElfError('not a 64-bit little-endian ELF file');
  }
  const headersAt = Number(view.getBigUint64(SECTION_HEADERS_AT, true));
  const headerBytes = view.getUint16(SECTION_HEADER_BYTES_AT, true);
  const count = view.getUint16(SECTION_COUNT_AT, true);
  const header = (index: number): { nameAt: number; offset: number; size: number } => {
    const at = headersAt + index * headerBytes;
    if (at + 64 > object.byteLength)
      throw new ElfError('truncated: the section headers lie outside the file');
    return {
      nameAt: view.getUint32(at, true),
      offset: Number(view.getBigUint64(at + 0x18, true)),
      size: Number(view.getBigUint64(at + 0x20, true)),
    };
  };
  const names = header(view.getUint16(SECTION_NAMES_AT, true));
  for (let index = 1; index < count; index++) {
    const section = header(index);
    if (cString(object, names.offset + section.nameAt) !== name) continue;
    if (section.offset + section.size > object.byteLength) throw new ElfError(`truncated: section ${name}`);
    return object.subarray(section.offset, section.offset + section.size);
  }
  throw new ElfError(`no section ${name}; was the object compiled for BPF with -g?`);
}

/** cString reads the NUL-terminated string at an offset. */
export function cString(bytes: Uint8Array, at: number): string {
  const end = bytes.indexOf(0, at);
  return Buffer.from(bytes.subarray(at, end < 0 ? bytes.length : end)).toString('latin1');
}
