#!/usr/bin/env node
// Builds the three parts: BPF objects, addon, TypeScript (twice when the layout generated from the objects changed), and
// bundles what is started.
// Each part does nothing when nothing it reads has changed.
import { chmodSync, existsSync, lstatSync, readlinkSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { bundle } from './bundle.mjs';
import { checkoutDir, vmlinuxHeader, cachedLibbpfDir } from './paths.mjs';
import { isStartedDirectly, run, runMain, Stop } from './run.mjs';
import { hashOf, listFiles, readStamp, writeStamp } from './stamp.mjs';

const layoutGenerator = 'scripts/gen-layout.mjs';
const layoutFile = 'src/shm/layout.generated.ts';
const layoutStamp = 'build/layout.stamp';
const typescriptStamp = 'dist/.stamp';
const bundleStamp = 'lib/.stamp';

function make(folder) {
  const variables = [`VMLINUX_H=${vmlinuxHeader}`, `LIBBPF_CACHE=${cachedLibbpfDir}`];
  if (
    run('make', ['--no-print-directory', '-s', `-j${availableParallelism()}`, '-C', folder, ...variables]) !==
    0
  ) {
    throw new Stop(`${folder}/ could not be built`);
  }
}

/** Compiles if anything changed; false when there are errors (the output is written all the same). */
function compileTypeScript() {
  const sources = ['src', 'workers', 'bench'].flatMap((folder) => listFiles(folder, '.ts'));
  if (sources.length === 0) return true;
  const hash = hashOf([...sources, 'tsconfig.json', 'package.json', 'package-lock.json']);
  const stamp = readStamp(typescriptStamp);
  if (stamp?.hash === hash) return true;
  // tsc leaves the output of a source that is gone; nothing may import it by mistake.
  const isStale = stamp === undefined || stamp.sources.some((source) => !sources.includes(source));
  if (isStale) rmSync(join(checkoutDir, 'dist'), { recursive: true, force: true });
  const tsc = join('node_modules', 'typescript', 'bin', 'tsc');
  if (run(process.execPath, [tsc, '-p', 'tsconfig.json']) !== 0) return false;
  writeStamp(typescriptStamp, { hash, sources });
  return true;
}

/** Bundles if anything that was compiled, or how, has changed. */
async function bundleProgram() {
  const inputs = [...listFiles('dist', '.js'), 'scripts/bundle.mjs', 'package-lock.json'];
  const hash = hashOf(inputs);
  if (readStamp(bundleStamp) === hash) return;
  await bundle();
  writeStamp(bundleStamp, hash);
}

/** Makes `npx nodeland` work from the checkout: npm links the commands of dependencies, not a package's own. */
function linkCommand() {
  const cli = join(checkoutDir, 'lib/src/cli/main.js');
  const link = join(checkoutDir, 'node_modules/.bin/nodeland');
  if (!existsSync(cli) || !existsSync(dirname(link))) return;
  if ((statSync(cli).mode & 0o111) === 0) chmodSync(cli, 0o755);
  const target = relative(dirname(link), cli);
  const found = lstatSync(link, { throwIfNoEntry: false });
  if (found?.isSymbolicLink() && readlinkSync(link) === target) return;
  rmSync(link, { force: true });
  symlinkSync(target, link);
}

/** Writes the layout file anew if an object changed; it needs the compiled BTF reader. True when the file changed. */
function generateLayout() {
  const inputs = [layoutGenerator, 'bpf/abi.h', ...listFiles('build/bpf', '.bpf.o')];
  if (!existsSync(join(checkoutDir, layoutGenerator))) return false;
  if (readStamp(layoutStamp) === hashOf([...inputs, layoutFile])) return false;
  const before = hashOf([layoutFile]);
  if (run(process.execPath, [layoutGenerator]) !== 0) throw new Stop('the layout could not be generated');
  writeStamp(layoutStamp, hashOf([...inputs, layoutFile]));
  return hashOf([layoutFile]) !== before;
}

/**
 * Builds everything, or throws a Stop that names the part that failed. With `keepLayout` a stale layout file is left
 * for the test's check to find.
 */
export async function buildAll({ keepLayout = false } = {}) {
  make('bpf');
  make('native');
  // Helper programs of tests; a package has no tests.
  if (existsSync(join(checkoutDir, 'test/faults'))) make('test/faults');
  let compiled = compileTypeScript();
  if (!keepLayout && generateLayout()) compiled = compileTypeScript();
  if (!compiled) throw new Stop('TypeScript does not compile');
  await bundleProgram();
  linkCommand();
}

if (isStartedDirectly(import.meta.url)) await runMain(() => buildAll());
