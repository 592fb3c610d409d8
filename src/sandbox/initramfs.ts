import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type CpioEntry, cpioArchive } from './cpio.js';
import { STAGE_ONE, STAGE_TWO } from './guest-scripts.js';
import { cacheFolder, type SandboxKernel } from './kernels.js';
import { loadModules } from './modules.js';

/** Modules the guest needs for its root; those a kernel has built in are left out. */
const MODULES = ['virtio_pci', 'virtio_console', '9pnet_virtio', '9p', 'overlay'];
const UNUSED_DAYS = 14;

/**
 * baseInitramfs returns the part of the initramfs that depends only on the kernel, busybox and the scripts. It is built once per
 * combination and kept under `<cache>/initramfs`; those not used for two weeks are removed when another one is built.
 */
export function baseInitramfs(kernel: SandboxKernel, busybox: string, cache: string = cacheFolder()): Buffer {
  const folder = join(cache, 'initramfs');
  const file = join(folder, `${kernel.version}-${cacheKey(kernel, busybox)}.cpio`);
  if (existsSync(file)) {
    utimesSync(file, new Date(), new Date());
    return readFileSync(file);
  }
  const archive = cpioArchive(baseEntries(kernel, busybox));
  mkdirSync(folder, { recursive: true });
  removeUnused(folder);
  // Another process may be building the same file: both write whole files and the last rename wins.
  const temporary = `${file}.${String(process.pid)}`;
  writeFileSync(temporary, archive);
  renameSync(temporary, file);
  return archive;
}

/** What varies from run to run. */
export interface RunFiles {
  /** A /bin/sh script. */
  readonly command: string;
  /** Written by the guest at the end of each output stream, after a NUL. */
  readonly endMark: string;
  /** Mounted read-write at their own paths. */
  readonly shares: readonly { readonly tag: string; readonly path: string }[];
}

/** runInitramfs is appended to the base: the kernel unpacks concatenated archives one over the other. */
export function runInitramfs(files: RunFiles): Buffer {
  const text = (path: string, content: string): CpioEntry => ({ type: 'file', path, content, mode: 0o644 });
  return cpioArchive([
    text('nodeland/command', files.command),
    text('nodeland/mark', files.endMark),
    text('nodeland/shares', files.shares.map((share) => `${share.tag} ${share.path}\n`).join('')),
  ]);
}

function baseEntries(kernel: SandboxKernel, busybox: string): CpioEntry[] {
  const folders = ['bin', 'dev', 'lower', 'modules', 'newroot', 'nodeland', 'proc', 'sys', 'upper'];
  const modules = loadModules(kernel.modulesFolder, MODULES, busybox);
  return [
    ...folders.map((path): CpioEntry => ({ type: 'folder', path })),
    { type: 'file', path: 'init', content: STAGE_ONE, mode: 0o755 },
    { type: 'file', path: 'nodeland/stage2', content: STAGE_TWO, mode: 0o644 },
    { type: 'file', path: 'bin/busybox', content: readFileSync(busybox), mode: 0o755 },
    // The number keeps the order in which they must be inserted.
    ...modules.map(({ name, content }, index): CpioEntry => {
      return {
        type: 'file',
        path: `modules/${String(index).padStart(2, '0')}-${name}.ko`,
        content,
        mode: 0o644,
      };
    }),
  ];
}

function cacheKey(kernel: SandboxKernel, busybox: string): string {
  const hash = createHash('sha256').update(JSON.stringify([MODULES, STAGE_ONE, STAGE_TWO, kernel.version]));
  for (const file of [kernel.imageFile, busybox]) {
    const { size, mtimeMs } = statSync(file);
    hash.update(`${file} ${String(size)} ${String(mtimeMs)}\n`);
  }
  return hash.digest('hex').slice(0, 16);
}

function removeUnused(folder: string): void {
  const oldestMs = Date.now() - UNUSED_DAYS * 24 * 3600 * 1000;
  for (const name of readdirSync(folder)) {
    const file = join(folder, name);
    if (statSync(file).mtimeMs < oldestMs) rmSync(file, { force: true });
  }
}
