/**
 * The examples of the kernel's tree, tools/sched_ext, from Debian's linux-source package, built by their own Makefile. Of the
 * source only what that Makefile reads is unpacked.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder, compareVersions, listKernels } from '../../src/sandbox/kernels.js';
import type { Missing } from '../sandbox/outcome.js';
import { loadDebian } from './debian.js';
import { peersFolder, programOf } from './store.js';
import { type BuildLimits, messageOf, requireTool, runTool } from './tool.js';

const UNPACK_MINUTES = 10;
/** The newest there is: of what clang 19 makes of scx_qmap, which uses arenas, the verifier of Linux 7.3 refuses a part. */
const CLANGS = ['clang-22', 'clang-21', 'clang-20', 'clang-19', 'clang'];
/** libbpf and bpftool are built from the same tree. */
const PARTS = [
  ...['sched_ext', 'lib', 'bpf', 'build', 'scripts', 'include', 'arch'].map((name) => `tools/${name}`),
  'kernel/bpf',
  'scripts/bpf_doc.py',
];

/** newestSource picks the package of the kernel the sandbox boots, or else the newest. undefined when there is none. */
export function newestSource(packages: readonly string[], guestKernel?: string): string | undefined {
  const sources = packages.filter((name) => /^linux-source-\d+\.\d+$/.test(name));
  const series = /^\d+\.\d+/.exec(guestKernel ?? '')?.[0];
  return sources.find((name) => name === `linux-source-${series}`) ?? sources.sort(compareVersions).at(-1);
}

/** buildFromKernelTree builds these into the cache folder, and gives those that could not be, with the reason. */
export async function buildFromKernelTree(names: readonly string[], limits: BuildLimits): Promise<Missing[]> {
  try {
    const clang = requireTool(...CLANGS);
    requireTool('make');
    const debian = await loadDebian();
    const suite = debian.openSuite(debian.kernelSuite);
    const source = newestSource(suite.packageNames('linux-source-'), listKernels().at(0)?.version);
    if (source === undefined) throw new Error(`${debian.kernelSuite} has no linux-source package`);
    const missing: Missing[] = [];
    debian.withUnpacked(suite, [source], (tree, scratch) => {
      const tools = unpack(join(tree, 'usr/src'), scratch);
      for (const name of names) {
        try {
          make(name, tools, clang, limits);
          debian.moveIntoPlace(join(tools, 'sched_ext/build/bin', name), programOf(name));
        } catch (error) {
          missing.push({ name, why: `${source}: ${messageOf(error)}` });
        }
      }
    });
    return missing;
  } catch (error) {
    return names.map((name) => ({ name, why: messageOf(error) }));
  }
}

/** Gives the tools/ folder of the tree. */
function unpack(folder: string, scratch: string): string {
  const archive = readdirSync(folder).find((name) => name.endsWith('.tar.xz'));
  if (archive === undefined) throw new Error('the package has no source archive');
  const root = archive.slice(0, -'.tar.xz'.length);
  const members = PARTS.map((part) => `${root}/${part}`);
  const logFile = join(peersFolder(), 'unpack.log');
  runTool('tar', ['-xJf', join(folder, archive), '-C', scratch, ...members], {
    minutes: UNPACK_MINUTES,
    logFile,
  });
  return join(scratch, root, 'tools');
}

function make(name: string, tools: string, clang: string, { jobs, minutes }: BuildLimits): void {
  const header = join(cacheFolder(), 'include', 'vmlinux.h');
  if (!existsSync(header)) throw new Error('needs vmlinux.h, which the set-up step fetches');
  // Without the second, the Makefile looks for the running kernel's BTF, of which it only takes the age.
  const variables = [`CLANG=${clang}`, `VMLINUX_H=${header}`, `VMLINUX_BTF=${header}`];
  process.stderr.write(`peers: building ${name}\n`);
  runTool('make', ['-C', join(tools, 'sched_ext'), `-j${jobs}`, ...variables, name], {
    minutes,
    logFile: join(peersFolder(), `${name}.log`),
  });
}
