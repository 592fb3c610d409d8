/** One entry of an archive. Parent folders must be listed before what is in them. */
export type CpioEntry =
  | { readonly type: 'folder'; readonly path: string }
  | {
      readonly type: 'file';
      readonly path: string;
      readonly content: Uint8Array | string;
      readonly mode: number;
    }
  | { readonly type: 'link'; readonly path: string; readonly target: string };

const FORMAT = { folder: 0o040755, file: 0o100000, link: 0o120777 } as const;

/**
 * cpioArchive writes entries in cpio's "newc" form, which the kernel unpacks as an initramfs (Documentation/driver-api/
 * early-userspace/buffer-format.rst). The result is a multiple of 512 bytes, so that archives can be concatenated. Everything
 * belongs to root and has time 0: equal entries give equal bytes.
 */
export function cpioArchive(entries: readonly CpioEntry[]): Buffer {
  const parts: Buffer[] = [];
  let bytes = 0;
  const push = (part: Buffer, align: number): void => {
    const padding = (align - ((bytes + part.length) % align)) % align;
    parts.push(part, Buffer.alloc(padding));
    bytes += part.length + padding;
  };
  entries.forEach((entry, index) => {
    const content = contentOf(entry);
    const mode = entry.type === 'file' ? FORMAT.file | entry.mode : FORMAT[entry.type];
    push(header(entry.path, index + 1, mode, entry.type === 'folder' ? 2 : 1, content.length), 4);
    push(content, 4);
  });
  push(header('TRAILER!!!', 0, 0, 1, 0), 512);
  return Buffer.concat(parts);
}

function contentOf(entry: CpioEntry): Buffer {
  switch (entry.type) {
    case 'folder':
      return Buffer.alloc(0);
    case 'file':
      return Buffer.from(entry.content);
    case 'link':
      return Buffer.from(entry.target);
  }
}

function header(path: string, inode: number, mode: number, links: number, fileBytes: number): Buffer {
  const name = Buffer.from(`${path}\0`);
  // magic, then: ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
  const fields = [inode, mode, 0, 0, links, 0, fileBytes, 0, 0, 0, 0, name.length, 0];
  const text = '070701' + fields.map((field) => field.toString(16).padStart(8, '0')).join('');
  return Buffer.concat([Buffer.from(text), name]);
}
