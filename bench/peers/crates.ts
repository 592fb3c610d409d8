/** Schedulers in Rust, by `cargo install` from the registry that cargo is configured for. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Missing } from '../sandbox/outcome.js';
import { KNOWN_PEERS } from './catalog.js';
import { loadDebian } from './debian.js';
import { peersFolder, programOf } from './store.js';
import { type BuildLimits, messageOf, requireTool, runTool } from './tool.js';

/** buildCrate installs one into the cache folder; gives the reason when it could not be. */
export async function buildCrate(name: string, { jobs, minutes }: BuildLimits): Promise<Missing[]> {
  const folder = peersFolder();
  // One for all: they have most of their dependencies in common, and a build that took too long is taken up again.
  const target = join(folder, 'target');
  try {
    const cargo = requireTool('cargo');
    const env = { ...(await environment(folder)), CARGO_TARGET_DIR: target };
    process.stderr.write(`peers: building ${name}, within ${minutes} minutes\n`);
    const args = ['install', '--locked', '--root', folder, '--jobs', String(jobs), name];
    runTool(cargo, args, { env, minutes, logFile: join(folder, `${name}.log`) });
  } catch (error) {
    return [{ name, why: messageOf(error) }];
  }
  const isLast = KNOWN_PEERS.every((peer) => peer.source !== 'crate' || existsSync(programOf(peer.name)));
  if (isLast) rmSync(target, { recursive: true, force: true });
  return [];
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
