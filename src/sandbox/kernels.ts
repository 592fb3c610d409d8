import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { SandboxError } from './errors.js';

/** A kernel in the cache folder: its image, its configuration and what is in its lib/modules folder. */
export interface SandboxKernel {
  /** As in `uname -r`. */
  readonly version: string;
  readonly imageFile: string;
  readonly modulesFolder: string;
}

const SETUP_HINT = 'run the set-up step: node scripts/setup.mjs';

/** cacheFolder is where nodeland keeps what can be made again, after the XDG base directory specification. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const base = env['XDG_CACHE_HOME'];
  return join(base?.startsWith('/') === true ? base : join(homedir(), '.cache'), 'nodeland');
}

/** listKernels returns the complete kernels under `<cache>/kernels`, newest first. */
export function listKernels(cache: string = cacheFolder()): SandboxKernel[] {
  const folder = join(cache, 'kernels');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .map((version) => ({
      version,
      imageFile: join(folder, version, 'vmlinuz'),
      modulesFolder: join(folder, version, 'modules'),
    }))
    .filter((kernel) => existsSync(kernel.imageFile) && existsSync(kernel.modulesFolder))
    .sort((a, b) => compareVersions(b.version, a.version));
}

/**
 * findKernel picks the newest kernel whose version begins with `wanted` (whole numbers: "6.1" is not "6.18"), or the newest of all.
 * Throws SandboxError ('setup') when there is none.
 */
export function findKernel(wanted?: string, cache: string = cacheFolder()): SandboxKernel {
  const kernels = listKernels(cache);
  const found = kernels.find((kernel) => wanted === undefined || matchesVersion(kernel.version, wanted));
  if (found !== undefined) return found;
  if (kernels.length === 0) {
    throw new SandboxError(`no sandbox kernel in ${join(cache, 'kernels')}; ${SETUP_HINT}`, 'setup');
  }
  const have = kernels.map((kernel) => kernel.version).join(', ');
  throw new SandboxError(`no sandbox kernel matches "${String(wanted)}"; there is: ${have}`, 'setup');
}

/** matchesVersion says whether `wanted` is a prefix of `version` that ends where a number or word ends. */
export function matchesVersion(version: string, wanted: string): boolean {
  if (!version.startsWith(wanted)) return false;
  return version.length === wanted.length || !/[0-9a-z]/i.test(version.charAt(wanted.length));
}

/** compareVersions orders by the numbers in the versions, then by text. */
export function compareVersions(a: string, b: string): number {
  const numbers = (version: string): number[] => (version.match(/\d+/g) ?? []).map(Number);
  const [left, right] = [numbers(a), numbers(b)];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? -1) - (right[i] ?? -1);
    if (difference !== 0) return difference;
  }
  return a < b ? -1 : Number(a > b);
}
