// What is unpacked into the cache folder instead of being installed: vmlinux.h, a libbpf that is new enough, and the
// kernels the sandbox boots.
import { cpSync, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { cacheDir, cachedLibbpfDir, cachedQemuDir, kernelsDir, vmlinuxHeader } from '../paths.mjs';
import { Stop } from '../run.mjs';
import { openSuite } from './archive.mjs';
import { dpkgArchitecture } from './machine.mjs';
import { hasCachedLibbpf, hasCachedQemu, needsCachedLibbpf, needsCachedQemu } from './requirements.mjs';
import { moveIntoPlace, withUnpacked } from './unpack.mjs';

/** Where the sandbox's kernels come from, and their sources. */
export const kernelSuite = 'trixie-backports';
/** Where Debian 12 has newer versions of what it ships. */
const backports = 'bookworm-backports';

/** The kernel series the sandbox tests run on; the first one is the default. */
export const kernelSeries = ['7.3', '6.18'];

/** What a guest on virtio, 9p and overlay may need; the rest of a distribution kernel's modules is dead weight. */
const keptModules =
  /^modules\.|^kernel\/(fs\/(9p|netfs|overlayfs|fscache)|net\/9p|drivers\/(virtio|block\/virtio|char\/virtio|char\/hw_random\/virtio)|lib)/;
const maxCryptoModuleBytes = 64 << 10;

const filesBelow = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));

function isCompleteKernel(folder) {
  if (!['vmlinuz', 'config', 'modules'].every((name) => existsSync(join(folder, name)))) return false;
  return filesBelow(join(folder, 'modules')).some((file) =>
    /^9pnet_virtio\.ko(\.\w+)?$/.test(basename(file)),
  );
}

const hasKernel = (series) =>
  existsSync(kernelsDir) &&
  readdirSync(kernelsDir).some(
    (name) => name.startsWith(`${series}.`) && isCompleteKernel(join(kernelsDir, name)),
  );

/** What the cache lacks, each as { name, place, for, fetch }; `fetch` takes a function that opens a suite. */
export function findMissingArtefacts() {
  const missing = [];
  if (needsCachedLibbpf() && !hasCachedLibbpf()) {
    missing.push({
      name: `libbpf from ${backports}`,
      place: cachedLibbpfDir,
      for: 'build',
      fetch: fetchLibbpf,
    });
  }
  if (needsCachedQemu() && !hasCachedQemu()) {
    missing.push({
      name: `QEMU from ${backports}`,
      place: cachedQemuDir,
      for: 'sandbox',
      fetch: fetchQemu,
    });
  }
  if (!existsSync(vmlinuxHeader)) {
    missing.push({
      name: `vmlinux.h from ${kernelSuite}`,
      place: vmlinuxHeader,
      for: 'build',
      fetch: fetchHeader,
    });
  }
  for (const series of kernelSeries.filter((wanted) => !hasKernel(wanted))) {
    const name = `Linux ${series} from ${kernelSuite}, to boot in QEMU (120 to 170 MB)`;
    const place = join(kernelsDir, '<version>', '{vmlinuz,config,modules/}');
    missing.push({ name, place, for: 'sandbox', fetch: (open) => fetchKernel(open, series) });
  }
  return missing;
}

/** Says what it will fetch and fetches it; each suite's index is read once. */
export function fetchArtefacts(missing) {
  const lines = missing.map((item) => `  ${item.name}`).join('\n');
  console.log(`nodeland: missing in ${cacheDir}, and will be fetched from Debian's archive:\n${lines}`);
  const opened = new Map();
  const open = (name) => {
    if (!opened.has(name)) opened.set(name, openSuite(name));
    return opened.get(name);
  };
  for (const { fetch } of missing) fetch(open);
}

function fetchHeader(open) {
  withUnpacked(open(kernelSuite), ['linux-bpf-dev'], (tree, result) => {
    const header = filesBelow(tree).find((file) => file.endsWith('/linux/bpf/vmlinux.h'));
    if (!header) packageLacks(['linux-bpf-dev'], 'vmlinux.h');
    cpSync(header, join(result, 'vmlinux.h'));
    moveIntoPlace(join(result, 'vmlinux.h'), vmlinuxHeader);
  });
}

function fetchQemu(open) {
  const packages = ['qemu-system-x86', 'qemu-system-data', 'seabios'];
  withUnpacked(open(backports), packages, (tree, result) => {
    for (const part of ['bin/qemu-system-x86_64', 'share/qemu', 'share/seabios']) {
      const from = join(tree, 'usr', part);
      if (!existsSync(from)) packageLacks(packages, part);
      cpSync(from, join(result, 'qemu', part), { recursive: true, verbatimSymlinks: true });
    }
    moveIntoPlace(join(result, 'qemu'), cachedQemuDir);
  });
}

function fetchLibbpf(open) {
  withUnpacked(open(backports), ['libbpf-dev', 'libbpf1'], (tree, result) => {
    const files = filesBelow(tree);
    const libraries = [
      ['libbpf.so.1', /\/libbpf\.so\.1\.[\d.]+$/],
      ['libbpf.a', /\/libbpf\.a$/],
    ];
    mkdirSync(join(result, 'libbpf/lib'), { recursive: true });
    for (const [name, pattern] of libraries) {
      const file = files.find((path) => pattern.test(path)) ?? packageLacks(['libbpf-dev', 'libbpf1'], name);
      cpSync(file, join(result, 'libbpf/lib', name));
    }
    cpSync(join(tree, 'usr/include'), join(result, 'libbpf/include'), { recursive: true });
    moveIntoPlace(join(result, 'libbpf'), cachedLibbpfDir);
  });
}

/** The newest full kernel of a series (no rt, cloud or debug one), as in "7.3.4+deb13-amd64". */
function newestKernel(suite, series) {
  const arch = dpkgArchitecture();
  const pattern = new RegExp(`^linux-image-(${series.replaceAll('.', '\\.')}\\.\\d+\\+[^-]+-${arch})$`);
  const versions = suite
    .packageNames(`linux-image-${series}.`)
    .flatMap((name) => pattern.exec(name)?.[1] ?? []);
  return versions.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1);
}

function fetchKernel(open, series) {
  const suite = open(kernelSuite);
  const version = newestKernel(suite, series);
  if (!version) throw new Stop(`${kernelSuite} has no Linux ${series} for ${dpkgArchitecture()}`);
  // From 6.19 on Debian splits a kernel in three; before, all is in one package.
  const split = ['base', 'binary', 'modules'].map((part) => `linux-${part}-${version}`);
  const known = new Set(suite.packageNames('linux-'));
  const packages = split.every((name) => known.has(name)) ? split : [`linux-image-${version}`];

  withUnpacked(suite, packages, (tree, result) => {
    const firstThat = (...paths) => {
      const found = paths.map((path) => join(tree, path)).find((path) => existsSync(path));
      return found ?? packageLacks(packages, paths[0]);
    };
    const folder = join(result, version);
    const modules = firstThat(`usr/lib/modules/${version}`, `lib/modules/${version}`);
    mkdirSync(folder);
    cpSync(
      firstThat(`boot/vmlinuz-${version}`, `usr/lib/modules/${version}/vmlinuz`),
      join(folder, 'vmlinuz'),
    );
    cpSync(firstThat(`boot/config-${version}`, `usr/lib/modules/${version}/config`), join(folder, 'config'));
    for (const file of filesBelow(modules)) {
      const path = file.slice(modules.length + 1);
      const isSmallCrypto = path.startsWith('kernel/crypto/') && statSync(file).size <= maxCryptoModuleBytes;
      if (keptModules.test(path) || isSmallCrypto) cpSync(file, join(folder, 'modules', path));
    }
    if (!isCompleteKernel(folder)) packageLacks(packages, '9pnet_virtio');
    moveIntoPlace(folder, join(kernelsDir, version));
  });
}

function packageLacks(packages, what) {
  throw new Stop(`${packages.join(', ')}: no ${what} inside`);
}
