// Fetches packages of another Debian suite without touching the machine's own package sources: a private apt root in the
// cache folder, one per suite, that uses the mirror, the proxy settings and the keyring the machine already has.
// Needs no root. What it fetches is unpacked, never installed.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir } from '../paths.mjs';
import { capture, exitCodes, run, Stop } from '../run.mjs';
import { distribution, dpkgArchitecture, isRoot } from './machine.mjs';

const isUsable = (uri) => /^[a-z+]+:/.test(uri) && !uri.startsWith('cdrom:');

/** The archive as apt's downloaded index files know it: exact, whatever form the sources have. */
function uriFromIndexes() {
  const lines = capture('apt-get', [
    'indextargets',
    '--format',
    '$(REPO_URI) $(CODENAME) $(ORIGIN)',
    'Created-By: Packages',
  ]);
  const targets = (lines ?? '').split('\n').map((line) => line.split(' '));
  const debian = targets.filter(([uri, , origin]) => origin === 'Debian' && isUsable(uri));
  const own = debian.find(([, codename]) => codename === distribution.codename);
  return (own ?? debian.find(([, codename]) => !codename.includes('-')))?.[0];
}

/** Entries { uri, suites } of one sources file, in the one-line or the deb822 form. */
function* sourceEntries(text) {
  for (const [, uri, suite] of text.matchAll(/^deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s/gm))
    yield { uri, suites: [suite] };
  for (const stanza of text.replaceAll(/^#.*\n/gm, '').split(/\n\s*\n/)) {
    const field = (name) =>
      new RegExp(`^${name}:[ \\t]*(.*)$`, 'im').exec(stanza)?.[1].trim().split(/\s+/) ?? [];
    if (!field('Types').includes('deb')) continue;
    for (const uri of field('URIs')) yield { uri, suites: field('Suites') };
  }
}

/** The archive as the sources files name it, for a machine that has not downloaded any index yet. */
function uriFromSources() {
  if (distribution.id !== 'debian') return undefined;
  const parts = '/etc/apt/sources.list.d';
  const files = [
    '/etc/apt/sources.list',
    ...(existsSync(parts)
      ? readdirSync(parts)
          .sort()
          .map((f) => join(parts, f))
      : []),
  ];
  for (const file of files.filter((name) => /\.(list|sources)$/.test(name) && existsSync(name))) {
    for (const { uri, suites } of sourceEntries(readFileSync(file, 'utf8'))) {
      if (isUsable(uri) && suites.includes(distribution.codename)) return uri;
    }
  }
  return undefined;
}

function keyring() {
  const paths = ['gpg', 'pgp'].map((ending) => `/usr/share/keyrings/debian-archive-keyring.${ending}`);
  return paths.find((path) => existsSync(path));
}

/**
 * Opens a suite of the machine's Debian archive and downloads its index.
 * Gives `packageNames(prefix)` and `download(packages, folder)`. Throws a Stop (69) where there is no such archive.
 */
export function openSuite(suite) {
  const uri = uriFromIndexes() ?? uriFromSources();
  const keys = keyring();
  if (!uri || !keys) {
    throw new Stop(
      `${distribution.name} names no Debian archive (or lacks its keyring), and packages of ${suite} are needed from there.`,
      exitCodes.unavailable,
    );
  }
  const root = join(cacheDir, 'apt', suite);
  for (const folder of ['lists/partial', 'cache/archives/partial'])
    mkdirSync(join(root, folder), { recursive: true });
  writeFileSync(join(root, 'sources.list'), `deb [signed-by=${keys}] ${uri} ${suite} main\n`);
  writeFileSync(join(root, 'status'), '');
  const options = {
    'Dir::Etc::SourceList': join(root, 'sources.list'),
    'Dir::Etc::SourceParts': '/dev/null',
    'Dir::Etc::Preferences': '/dev/null',
    'Dir::Etc::PreferencesParts': '/dev/null',
    'Dir::State::Lists': join(root, 'lists'),
    'Dir::State::Status': join(root, 'status'),
    'Dir::Cache': join(root, 'cache'),
    'APT::Architecture': dpkgArchitecture(),
    'APT::Architectures': dpkgArchitecture(),
    'Acquire::Languages': 'none',
    'Acquire::Retries': '3',
    // apt as root downloads as another user, who cannot look into root's home.
    ...(isRoot ? { 'APT::Sandbox::User': 'root' } : {}),
  };
  const flags = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  const packageNames = (prefix) =>
    capture('apt-cache', [...flags, 'pkgnames', prefix])
      ?.split('\n')
      .filter(Boolean) ?? [];

  console.log(`nodeland: reading the index of ${suite}`);
  // Its exit code also speaks of hooks other software has put into apt; what counts is that there is an index now.
  run('apt-get', [...flags, 'update', '--quiet']);
  if (packageNames('').length === 0) throw new Stop(`the index of ${suite} could not be downloaded`);

  return {
    packageNames,
    download(packages, folder) {
      console.log(`nodeland: downloading ${packages.join(', ')}`);
      if (run('apt-get', [...flags, 'download', ...packages], { cwd: folder }) !== 0) {
        throw new Stop(`apt-get could not download: ${packages.join(' ')}`);
      }
      return readdirSync(folder)
        .filter((name) => name.endsWith('.deb'))
        .map((name) => join(folder, name));
    },
  };
}
