import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { native } from '../../src/kernel/native.js';

/** fixture is the path of a file in test/native/fixtures. */
export const fixture = (name: string): string => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));

/** Compiled fixtures in a folder of their own, gone after `remove`. */
export class BpfObjects {
  readonly folder: string;

  /** @param parent where the folder is made: a sandbox sees the checkout, not the host's /tmp. */
  constructor(parent = tmpdir()) {
    mkdirSync(parent, { recursive: true });
    this.folder = mkdtempSync(join(parent, 'nodeland-bpf-'));
  }

  compile(name: string): string {
    const target = join(this.folder, `${name}.bpf.o`);
    const flags = ['-g', '-O2', '-mcpu=v4', '--target=bpf', '-Wno-visibility'];
    execFileSync(clang(), [...flags, '-c', fixture(`${name}.bpf.c`), '-o', target], { stdio: 'pipe' });
    return target;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}

const clang = (): string => process.env['CLANG'] ?? 'clang-19';

/** whyNoBpf says why this machine cannot run the tests of this folder; undefined when it can. */
export function whyNoBpf(): string | undefined {
  if (process.getuid?.() !== 0) return 'bpf() needs root';
  if (spawnSync(clang(), ['--version']).error) return `${clang()} is not installed`;
  if (!native().kernelHas('func', 'bpf_arena_alloc_pages')) return 'BPF arenas need Linux 6.9';
  return undefined;
}
