import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { KNOWN_PEERS } from '../../bench/peers/catalog.js';
import { loadDebian } from '../../bench/peers/debian.js';
import { newestSource } from '../../bench/peers/kernel-tree.js';
import { keepReasons, missingPeers, presentPeers, programOf } from '../../bench/peers/store.js';
import { requireTool, runTool, tellingLines } from '../../bench/peers/tool.js';

let folder = '';
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "nodeland-peer's-"))));
afterEach(() => rmSync(folder, { recursive: true }));

describe('the peers in the cache', () => {
  test('those not built are missing, each with a reason', () => {
    expect(presentPeers(folder)).toEqual([]);
    expect(missingPeers(folder).map(({ name }) => name)).toEqual(KNOWN_PEERS.map(({ name }) => name));
    keepReasons([{ name: 'scx_rusty', why: 'needs cargo' }], folder);
    keepReasons([{ name: 'scx_qmap', why: 'ended with 2' }], folder);
    const why = (name: string) => missingPeers(folder).find((peer) => peer.name === name)?.why;
    expect([why('scx_rusty'), why('scx_qmap')]).toEqual(['needs cargo', 'ended with 2']);
    expect(why('scx_simple')).toContain('not built yet');
  });

  test('one that was built is present, whatever was said of it before, by a command a shell understands', () => {
    keepReasons([{ name: 'scx_simple', why: 'ended with 2' }], folder);
    mkdirSync(join(folder, 'bin'));
    writeFileSync(programOf('scx_simple', folder), '');
    const quoted = folder.replace("'", "'\\''");
    expect(presentPeers(folder)).toEqual([
      { name: 'scx_simple', command: `exec '${quoted}/bin/scx_simple'` },
    ]);
    expect(missingPeers(folder).map(({ name }) => name)).not.toContain('scx_simple');
  });

  test('a file of reasons that was cut off is as good as none', () => {
    writeFileSync(join(folder, 'missing.json'), '{"scx_rusty":');
    expect(missingPeers(folder)).toHaveLength(KNOWN_PEERS.length);
  });
});

describe('building one', () => {
  test("the source of the guest's kernel is preferred to a newer one", () => {
    const packages = ['linux-source-6.12', 'linux-source-7.3', 'linux-source-7.10', 'linux-source'];
    expect(newestSource(packages, '7.3.4+deb13-amd64')).toBe('linux-source-7.3');
    expect(newestSource(packages, '6.18.15+deb13-amd64')).toBe('linux-source-7.10');
    expect(newestSource(['linux-source'])).toBeUndefined();
  });

  test('the first errors tell why it failed, or else the last lines', () => {
    expect(tellingLines('a\nb.c:1: error: no\nc\nmake: *** [b.o] Error 1\n')).toEqual([
      'b.c:1: error: no',
      'make: *** [b.o] Error 1',
    ]);
    expect(tellingLines('1\n2\n3\n4\n')).toEqual(['2', '3', '4']);
  });

  test('a program that fails, or takes too long, says so', () => {
    const logFile = join(folder, 'log');
    const run =
      (script: string, minutes = 1) =>
      () =>
        runTool('sh', ['-c', script], { minutes, logFile, env: { WORD: 'lost' } });
    expect(run('true')).not.toThrow();
    expect(run('echo $WORD >&2; exit 2')).toThrow('sh ended with 2; lost');
    expect(run('sleep 60', 0.002)).toThrow('sh was not done in 0.002 minutes');
  });

  test('a program that is not there is named', () => {
    expect(requireTool('scx_nothing', 'sh')).toMatch(/\/sh$/);
    expect(() => requireTool('scx_nothing', 'scx_none')).toThrow('needs scx_nothing or scx_none');
  });

  test('the set-up step has what it takes', async () => {
    expect(await loadDebian()).toMatchObject({
      openSuite: expect.any(Function) as unknown,
      withUnpacked: expect.any(Function) as unknown,
      moveIntoPlace: expect.any(Function) as unknown,
      kernelSuite: expect.any(String) as unknown,
      distribution: expect.any(Object) as unknown,
    });
  });
});
