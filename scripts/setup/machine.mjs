// What kind of machine this is: distribution, architecture, package manager, privilege.
import { readFileSync } from 'node:fs';
import { capture, findCommand } from '../run.mjs';

function osRelease() {
  try {
    const lines = readFileSync('/etc/os-release', 'utf8').matchAll(/^(\w+)="?([^"\n]*)"?$/gm);
    return Object.fromEntries([...lines].map(([, key, value]) => [key, value]));
  } catch {
    return {};
  }
}

const release = osRelease();

export const distribution = {
  id: release.ID ?? 'unknown',
  name: release.PRETTY_NAME ?? 'this distribution',
  /** "bookworm", "trixie" ...; empty when the distribution has none. */
  codename: release.VERSION_CODENAME ?? '',
};

export const isRoot = process.getuid?.() === 0;
export const hasApt = findCommand('apt-get') !== undefined && findCommand('dpkg') !== undefined;
export const isArm64 = process.arch === 'arm64';

/** The name dpkg gives this architecture: amd64, arm64 ... */
export function dpkgArchitecture() {
  return capture('dpkg', ['--print-architecture'])?.trim() ?? (isArm64 ? 'arm64' : 'amd64');
}
