import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { SandboxError } from './errors.js';

/** A kernel module, ready for insmod. */
export interface KernelModule {
  readonly name: string;
  readonly content: Buffer;
}

const MODULE_FILE = /^(?<name>.+)\.ko(?:\.(?<packing>xz|zst|gz))?$/;

/**
 * loadModules reads the wanted modules and all they depend on, in the order in which they must be inserted. What the kernel has
 * built in is left out. Dependencies are read from the modules themselves, since unpacked packages have no modules.dep.
 */
export function loadModules(
  modulesFolder: string,
  wanted: readonly string[],
  busybox: string,
): KernelModule[] {
  const files = moduleFiles(modulesFolder);
  const builtIn = builtInModules(modulesFolder);
  const loaded = new Map<string, KernelModule>();
  const visit = (name: string): void => {
    if (loaded.has(name) || builtIn.has(name)) return;
    const file = files.get(name);
    if (file === undefined) {
      throw new SandboxError(`the sandbox kernel has no module "${name}" in ${modulesFolder}`, 'setup');
    }
    const content = readModule(file, busybox);
    moduleDepends(content).forEach(visit);
    loaded.set(name, { name, content });
  };
  wanted.forEach(visit);
  return [...loaded.values()];
}

/** moduleDepends reads the `depends=` entry of a module's .modinfo section: NUL-terminated `key=value` strings. */
export function moduleDepends(content: Buffer): string[] {
  const key = Buffer.from('\0depends=');
  const start = content.indexOf(key);
  if (start < 0) return [];
  const end = content.indexOf(0, start + key.length);
  const list = content.toString('latin1', start + key.length, end);
  return list
    .split(',')
    .filter((name) => name !== '')
    .map(canonicalName);
}

function moduleFiles(modulesFolder: string): Map<string, string> {
  const files = new Map<string, string>();
  for (const entry of readdirSync(modulesFolder, { recursive: true, encoding: 'utf8' })) {
    const name = MODULE_FILE.exec(basename(entry))?.groups?.['name'];
    if (name !== undefined) files.set(canonicalName(name), join(modulesFolder, entry));
  }
  return files;
}

function builtInModules(modulesFolder: string): Set<string> {
  let list: string;
  try {
    list = readFileSync(join(modulesFolder, 'modules.builtin'), 'utf8');
  } catch {
    return new Set();
  }
  return new Set(list.split('\n').map((line) => canonicalName(basename(line, '.ko'))));
}

function readModule(file: string, busybox: string): Buffer {
  const unpack = (program: string, args: string[]): Buffer =>
    execFileSync(program, [...args, file], { maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'pipe'] });
  switch (MODULE_FILE.exec(basename(file))?.groups?.['packing']) {
    case 'xz':
      return unpack(busybox, ['xzcat']);
    case 'gz':
      return unpack(busybox, ['zcat']);
    case 'zst':
      return unpack('zstd', ['-dcq']);
    default:
      return readFileSync(file);
  }
}

function canonicalName(name: string): string {
  return name.replaceAll('-', '_');
}
