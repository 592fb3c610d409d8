import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type SandboxArch, sandboxArch } from './arch.js';
import { SandboxError } from './errors.js';
import { cacheFolder, findKernel, type SandboxKernel } from './kernels.js';
import { findProgram, isStaticProgram } from './programs.js';

/** What a sandbox is made of, found on this host. */
export interface SandboxParts {
  readonly arch: SandboxArch;
  readonly qemu: string;
  /** Folders with this QEMU's firmware, where it would not find them by itself. */
  readonly firmwareFolders: readonly string[];
  readonly busybox: string;
  readonly kernel: SandboxKernel;
}

/** findSandboxParts finds them all or throws SandboxError ('setup') naming the first that is missing. */
export function findSandboxParts(wantedKernel?: string): SandboxParts {
  const arch = sandboxArch();
  if (process.platform !== 'linux' || arch === undefined) {
    throw new SandboxError(
      `the sandbox does not support ${process.platform} on ${process.arch} yet`,
      'setup',
    );
  }
  const cached = cachedQemu(arch.qemu);
  const qemu = cached ?? findProgram(arch.qemu);
  if (qemu === undefined) throw missing(arch.qemu, 'QEMU');
  const busybox = findProgram('busybox');
  if (busybox === undefined || !isStaticProgram(busybox))
    throw missing('a statically linked busybox', 'busybox-static');
  const firmwareFolders =
    cached === undefined ? [] : ['qemu', 'seabios'].map((name) => join(cached, '../../share', name));
  return { arch, qemu, firmwareFolders, busybox, kernel: findKernel(wantedKernel) };
}

/** A newer QEMU that the set-up step has put into the cache where the system's is too old. */
function cachedQemu(name: string): string | undefined {
  const file = join(cacheFolder(), 'qemu', 'bin', name);
  return existsSync(file) ? file : undefined;
}

/** sandboxAvailable says whether {@link findSandboxParts} would succeed; tests skip with its reason. */
export function sandboxAvailable(
  wantedKernel?: string,
): { readonly ok: true } | { readonly ok: false; readonly reason: string } {
  try {
    findSandboxParts(wantedKernel);
    return { ok: true };
  } catch (error) {
    if (error instanceof SandboxError) return { ok: false, reason: error.message };
    throw error;
  }
}

function missing(what: string, packageName: string): SandboxError {
  return new SandboxError(
    `the sandbox needs ${what} (${packageName}); run the set-up step: node scripts/setup.mjs`,
    'setup',
  );
}
