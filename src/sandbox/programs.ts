import { accessSync, constants, closeSync, openSync, readSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** programPath is the PATH for the guest: the host's, then the system folders, then the folder this Node.js is in. */
export function programPath(env: NodeJS.ProcessEnv = process.env, node: string = process.execPath): string {
  const folders = [...(env['PATH'] ?? '').split(delimiter), ...SYSTEM_FOLDERS, join(node, '..')];
  return [...new Set(folders.filter((folder) => folder.startsWith('/')))].join(delimiter);
}

/** findProgram returns the full path of an executable, or undefined. */
export function findProgram(name: string): string | undefined {
  return programPath()
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

const PT_INTERP = 3;

/** isStaticProgram says whether a 64-bit little-endian ELF file asks for no dynamic loader, and so runs in an initramfs alone. */
export function isStaticProgram(file: string): boolean {
  const head = Buffer.alloc(4096);
  const fd = openSync(file, 'r');
  try {
    readSync(fd, head, 0, head.length, 0);
  } finally {
    closeSync(fd);
  }
  if (head.toString('latin1', 0, 4) !== '\x7fELF' || head[4] !== 2 || head[5] !== 1) return false;
  const tableOffset = Number(head.readBigUInt64LE(32));
  const entryBytes = head.readUInt16LE(54);
  const entries = head.readUInt16LE(56);
  if (tableOffset + entries * entryBytes > head.length) return false;
  return !Array.from({ length: entries }, (_, i) => head.readUInt32LE(tableOffset + i * entryBytes)).includes(
    PT_INTERP,
  );
}
