/** Schedulers in Rust, by `cargo install` from the registry that cargo is configured for. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Missing } from '../sandbox/outcome.js';
import { loadDebian } from './debian.js';
import { peersFolder } from './store.js';
import { type BuildLimits, messageOf, requireTool, runTool } from './tool.js';

/** buildCrates installs these into the cache folder, and gives those that could not be, with the reason. */
export async function buildCrates(names: readonly string[], limits: BuildLimits): Promise<Missing[]> {
  const missing: Missing[] = [];
  const folder = peersFolder();
  // One for all: they have most of their dependencies in common. It stays for the next attempt when one fails.
  const target = join(folder, 'target');
  try {
    const cargo = requireTool('cargo');
    const env = { ...(await environment(folder)), CARGO_TARGET_DIR: target };
    for (const name of names) {
      process.stderr.write(`peers: building ${name}, within ${limits.minutes} minutes\n`);
      try {
        const args = ['install', '--locked', '--root', folder, '--jobs', String(limits.jobs), name];
        runTool(cargo, args, { env, minutes: limits.minutes, logFile: join(folder, `${name}.log`) });
      } catch (error) {
        missing.push({ name, why: messageOf(error) });
      }
    }
  } catch (error) {
    return names.map((name) => ({ name, why: messageOf(error) }));
  }
  if (missing.length === 0) rmSync(target, { recursive: true, force: true });
  return missing;
}

/** What their build scripts look for: a clang for BPF, its library for bindgen, and libseccomp to link with. */
async function environment(folder: string): Promise<Record<string, string>> {
  const clang = requireTool('clang-19', 'clang');
  const resources = spawnSync(clang, ['-print-resource-dir'], { encoding: 'utf8' }).stdout.trim();
  // Of /usr/lib/llvm-19/lib/clang/19, the folder of libclang.
  return {
    BPF_CLANG: clang,
    LIBCLANG_PATH: join(resources, '../..'),
    LIBRARY_PATH: await seccompFolder(folder),
  };
}

/** The static library, so that the program runs where only the build machine's usual packages are. */
async function seccompFolder(folder: string): Promise<string> {
  const lib = join(folder, 'lib');
  const library = join(lib, 'libseccomp.a');
  if (existsSync(library)) return lib;
  const { openSuite, withUnpacked, moveIntoPlace, distribution } = await loadDebian();
  withUnpacked(openSuite(distribution.codename), ['libseccomp-dev'], (tree, scratch) => {
    const found = spawnSync('find', [tree, '-name', 'libseccomp.a'], { encoding: 'utf8' }).stdout.trim();
    if (found === '') throw new Error('libseccomp-dev has no static library');
    mkdirSync(lib, { recursive: true });
    cpSync(found, join(scratch, 'libseccomp.a'));
    moveIntoPlace(join(scratch, 'libseccomp.a'), library);
  });
  return lib;
}
