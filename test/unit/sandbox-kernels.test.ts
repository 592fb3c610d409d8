import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  cacheFolder,
  compareVersions,
  findKernel,
  listKernels,
  matchesVersion,
} from '../../src/sandbox/kernels.js';
import { loadModules, moduleDepends } from '../../src/sandbox/modules.js';

let cache: string;
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'nodeland-test-'));
});
afterEach(() => {
  rmSync(cache, { recursive: true });
});

function addKernel(version: string, { complete = true } = {}): void {
  const folder = join(cache, 'kernels', version);
  mkdirSync(join(folder, 'modules'), { recursive: true });
  if (complete) writeFileSync(join(folder, 'vmlinuz'), '');
}

describe('the kernel cache', () => {
  it('follows XDG_CACHE_HOME when it is absolute', () => {
    expect(cacheFolder({ XDG_CACHE_HOME: '/c' })).toBe('/c/nodeland');
    expect(cacheFolder({ XDG_CACHE_HOME: 'c' })).toMatch(/\/\.cache\/nodeland$/);
  });

  it('lists complete kernels, newest first by number', () => {
    addKernel('6.9.1+deb13-amd64');
    addKernel('6.18.15+deb13-amd64');
    addKernel('7.3.4+deb13-amd64');
    addKernel('9.0.0+deb13-amd64', { complete: false });
    const versions = listKernels(cache).map((kernel) => kernel.version);
    expect(versions).toEqual(['7.3.4+deb13-amd64', '6.18.15+deb13-amd64', '6.9.1+deb13-amd64']);
  });

  it('finds a kernel by the beginning of its version, the newest by default', () => {
    addKernel('6.18.15+deb13-amd64');
    addKernel('7.3.4+deb13-amd64');
    expect(findKernel(undefined, cache).version).toBe('7.3.4+deb13-amd64');
    expect(findKernel('6.18', cache).version).toBe('6.18.15+deb13-amd64');
    expect(() => findKernel('6.1', cache)).toThrow(/no sandbox kernel matches "6.1"; there is: 7.3.4/);
  });

  it('names the set-up step when it is empty', () => {
    expect(() => findKernel(undefined, cache)).toThrow(/node scripts\/setup\.mjs/);
  });

  it('does not take a part of a number for a match', () => {
    expect(matchesVersion('6.18.15+deb13-amd64', '6.1')).toBe(false);
    expect(matchesVersion('6.18.15+deb13-amd64', '6.18.15')).toBe(true);
    expect(compareVersions('6.18.2', '6.18.15')).toBeLessThan(0);
  });
});

describe('kernel modules', () => {
  const module = (depends: string): Buffer =>
    Buffer.from(`\x7fELF\0license=GPL\0depends=${depends}\0name=x\0`);

  it('names what it depends on in its own .modinfo', () => {
    expect(moduleDepends(module('netfs,9pnet-core'))).toEqual(['netfs', '9pnet_core']);
    expect(moduleDepends(module(''))).toEqual([]);
  });

  it('is loaded after what it depends on, each once, without what is built in', () => {
    const folder = join(cache, 'kernel', 'fs');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, '9p.ko'), module('9pnet,netfs'));
    writeFileSync(join(folder, '9pnet.ko'), module('netfs'));
    writeFileSync(join(folder, 'netfs.ko'), module(''));
    writeFileSync(join(cache, 'modules.builtin'), 'kernel/drivers/virtio/virtio-pci.ko\n');
    const names = loadModules(cache, ['virtio_pci', '9p', '9pnet'], 'busybox').map(({ name }) => name);
    expect(names).toEqual(['netfs', '9pnet', '9p']);
  });

  it('that is nowhere is named', () => {
    expect(() => loadModules(cache, ['overlay'], 'busybox')).toThrow(/no module "overlay"/);
  });
});
