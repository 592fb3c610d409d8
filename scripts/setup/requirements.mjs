// The commands and development files nodeland needs from the system, and how to tell that each is there.
import { existsSync, openSync, closeSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { capture, findCommand } from '../run.mjs';
import { cachedLibbpfDir, cachedQemuDir } from '../paths.mjs';
import { distribution, hasApt, isArm64 } from './machine.mjs';

/** The oldest libbpf with everything the addon calls. */
export const minLibbpfVersion = '1.4';

const command = (name) => () => findCommand(name) !== undefined;
const header = (name) => () => existsSync(join('/usr/include', name));

/** The initramfs holds nothing but busybox, so it must not need a dynamic loader. */
function hasStaticBusybox() {
  const path = findCommand('busybox');
  if (!path) return false;
  const start = Buffer.alloc(4096);
  const file = openSync(path, 'r');
  try {
    readSync(file, start, 0, start.length, 0);
  } finally {
    closeSync(file);
  }
  return !start.includes('/ld-');
}

export function hasSystemLibbpf() {
  return capture('pkg-config', [`--atleast-version=${minLibbpfVersion}`, 'libbpf']) !== undefined;
}

export const hasCachedLibbpf = () => existsSync(join(cachedLibbpfDir, 'lib', 'libbpf.so.1'));

/** Debian 12's own libbpf is too old, and other packages there depend on it: a newer one goes into the cache, not into the system. */
export const needsCachedLibbpf = () => distribution.codename === 'bookworm' && !hasSystemLibbpf();

/**
 * The oldest QEMU whose deterministic mode shares instructions out evenly among CPUs; before 8.1 each runs for a whole
 * timer tick in its turn, and latencies measured there say nothing.
 */
const minQemu = { major: 8, minor: 1 };

/** Debian 12 has an older QEMU; a newer one goes into the cache beside it. */
export function needsCachedQemu() {
  if (distribution.codename !== 'bookworm' || isArm64) return false;
  const [, major, minor] = /version (\d+)\.(\d+)/.exec(capture(qemu.name, ['--version']) ?? '') ?? [];
  return (
    major === undefined ||
    Number(major) < minQemu.major ||
    (Number(major) === minQemu.major && Number(minor) < minQemu.minor)
  );
}

export const hasCachedQemu = () => existsSync(join(cachedQemuDir, 'bin', qemu.name));

/** The keys of the archive that the sandbox kernels come from; Debian 12 got them in a point release. */
function hasArchiveKeys() {
  const names = ['gpg', 'pgp', 'asc'].map((ending) => `debian-archive-trixie-automatic.${ending}`);
  return names.some((name) => existsSync(join('/usr/share/keyrings', name)));
}

const qemu = isArm64
  ? { name: 'qemu-system-aarch64', package: 'qemu-system-arm' }
  : { name: 'qemu-system-x86_64', package: 'qemu-system-x86' };

/**
 * Each requirement: `name` for people, `package` as Debian calls it, what it is for, and whether it is there.
 * Without those `for` the build nothing works; without those for the sandbox or the tools, some tests are skipped.
 */
const requirements = [
  { name: 'clang-19', package: 'clang-19', for: 'build', isPresent: command('clang-19') },
  { name: 'g++', package: 'g++', for: 'build', isPresent: command('g++') },
  { name: 'make', package: 'make', for: 'build', isPresent: command('make') },
  { name: 'pkg-config', package: 'pkgconf', for: 'build', isPresent: command('pkg-config') },
  { name: 'libelf development files', package: 'libelf-dev', for: 'build', isPresent: header('libelf.h') },
  { name: 'zlib development files', package: 'zlib1g-dev', for: 'build', isPresent: header('zlib.h') },
  {
    name: 'clang-format-19',
    package: 'clang-format-19',
    for: 'tools',
    isPresent: command('clang-format-19'),
  },
  { name: 'bpftool', package: 'bpftool', for: 'tools', isPresent: command('bpftool') },
  { name: 'spin', package: 'spin', for: 'tools', isPresent: command('spin') },
  { name: qemu.name, package: qemu.package, for: 'sandbox', isPresent: command(qemu.name) },
  { name: 'busybox (static)', package: 'busybox-static', for: 'sandbox', isPresent: hasStaticBusybox },
  { name: 'cpio', package: 'cpio', for: 'sandbox', isPresent: command('cpio') },
  { name: 'xz', package: 'xz-utils', for: 'sandbox', isPresent: command('xz') },
  { name: 'cyclictest, hackbench', package: 'rt-tests', for: 'sandbox', isPresent: command('cyclictest') },
  { name: 'stress-ng', package: 'stress-ng', for: 'sandbox', isPresent: command('stress-ng') },
];

/** The requirements this machine does not meet; `needsArchive` adds what fetching from Debian's archive takes. */
export function findMissing({ needsArchive }) {
  const missing = requirements.filter((requirement) => !requirement.isPresent());
  if (!needsCachedLibbpf() && !hasSystemLibbpf() && !hasCachedLibbpf()) {
    missing.push({
      name: `libbpf >= ${minLibbpfVersion} development files`,
      package: 'libbpf-dev',
      for: 'build',
    });
  }
  if (needsArchive && hasApt && distribution.id === 'debian' && !hasArchiveKeys()) {
    missing.push({ name: 'keys of the Debian 13 archive', package: 'debian-archive-keyring', for: 'build' });
  }
  return missing;
}
