import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { gzipSync } from 'node:zlib';
import type { AddonState } from '../../src/cli/doctor/addon.js';
import { type Check, diagnose, exitCodeOf } from '../../src/cli/doctor/checks.js';
import { type Facts, readFacts } from '../../src/cli/doctor/facts.js';
import { renderReport } from '../../src/cli/doctor/report.js';

const WORKING_CONFIG = ['SCHED_CLASS_EXT', 'BPF_SYSCALL', 'BPF_JIT', 'DEBUG_INFO_BTF']
  .map((name) => `CONFIG_${name}=y\n`)
  .join('');

/** Files of a machine on which nodeland runs. */
const WORKING: Readonly<Record<string, string>> = {
  'proc/sys/kernel/osrelease': '6.18.15+deb13-amd64\n',
  'proc/self/status': 'Name:\tnode\nCapInh:\t0000000000000000\nCapEff:\t000001ffffffffff\n',
  'proc/self/limits':
    'Limit Soft Hard Units\nMax locked memory         8388608              8388608              bytes\n',
  'proc/swaps': 'Filename Type Size Used Priority\n',
  'proc/sys/net/core/bpf_jit_enable': '1\n',
  'proc/sys/vm/compact_unevictable_allowed': '1\n',
  'sys/kernel/sched_ext/state': 'disabled\n',
  'sys/kernel/btf/vmlinux': 'BTF',
  'sys/kernel/security/lockdown': '[none] integrity confidentiality\n',
  'sys/devices/system/cpu/online': '0-3\n',
  'sys/devices/system/cpu/isolated': '\n',
  'boot/config-6.18.15+deb13-amd64': WORKING_CONFIG,
};
const BUILT: AddonState = { state: 'loaded', libbpfVersion: '1.5' };

const roots: string[] = [];
afterAll(() => roots.forEach((root) => rmSync(root, { recursive: true })));

/** Facts of that machine with some files changed; undefined takes one away. */
function facts(changes: Readonly<Record<string, string | Buffer | undefined>> = {}): Facts {
  const root = mkdtempSync(join(tmpdir(), 'nodeland-doctor-'));
  roots.push(root);
  for (const [path, content] of Object.entries({ ...WORKING, ...changes })) {
    if (content === undefined) continue;
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  return readFacts(root);
}

const find = (checks: readonly Check[], name: string): Check | undefined =>
  checks.find((check) => check.name === name);

test('a working machine gets ok everywhere and exit code 0', () => {
  const checks = diagnose(facts(), BUILT);
  expect(checks.filter(({ state }) => state !== 'ok')).toEqual([]);
  expect(exitCodeOf(checks)).toBe(0);
  expect(renderReport(checks, 0)).toContain('nodeland can run here');
});

describe('what stands in the way', () => {
  test.each<[string, string, Record<string, string | undefined>, number, string]>([
    [
      'no sched_ext',
      'sched_ext',
      { 'sys/kernel/sched_ext/state': undefined },
      69,
      'nodeland sandbox -- COMMAND',
    ],
    ['no BTF', 'BTF', { 'sys/kernel/btf/vmlinux': undefined }, 69, 'CONFIG_DEBUG_INFO_BTF'],
    [
      'no sysfs',
      'NUMA',
      { 'sys/devices/system/cpu/online': undefined, 'sys/devices/system/cpu/isolated': undefined },
      69,
      'mount sysfs',
    ],
    [
      'no capability',
      'capabilities',
      { 'proc/self/status': 'CapEff:\t0000000000000000\n' },
      77,
      'sudo npx nodeland run',
    ],
    [
      'lockdown',
      'lockdown',
      { 'sys/kernel/security/lockdown': 'none integrity [confidentiality]\n' },
      77,
      'lockdown=integrity',
    ],
    [
      'no JIT',
      'BPF JIT',
      { 'proc/sys/net/core/bpf_jit_enable': '0\n' },
      1,
      'sysctl net.core.bpf_jit_enable=1',
    ],
    [
      'another scheduler',
      'sched_ext',
      { 'sys/kernel/sched_ext/state': 'enabled\n', 'sys/kernel/sched_ext/root/ops': 'rusty_1.0.4\n' },
      1,
      'stop it first',
    ],
  ])('%s is missing, with advice', (_what, name, changes, exitCode, advice) => {
    const checks = diagnose(facts(changes), BUILT);
    expect(find(checks, name)).toMatchObject({ state: 'missing' });
    expect(find(checks, name)!.advice).toContain(advice);
    expect(exitCodeOf(checks)).toBe(exitCode);
  });

  test('another scheduler is named', () => {
    const changes = {
      'sys/kernel/sched_ext/state': 'enabled\n',
      'sys/kernel/sched_ext/root/ops': 'rusty_1.0.4\n',
    };
    expect(find(diagnose(facts(changes), BUILT), 'sched_ext')!.found).toContain('rusty_1.0.4');
  });

  test('an addon that is not built says how to build it', () => {
    const checks = diagnose(facts(), { state: 'missing', reason: 'it is not built' });
    expect(find(checks, 'libbpf')).toMatchObject({
      state: 'missing',
      found: 'the native addon does not load: it is not built',
    });
    expect(find(checks, 'libbpf')!.advice).toContain('npm run build');
    expect(exitCodeOf(checks)).toBe(1);
  });

  test('a missing kernel feature comes before a missing privilege', () => {
    const both = {
      'sys/kernel/sched_ext/state': undefined,
      'proc/self/status': 'CapEff:\t0000000000000000\n',
    };
    expect(exitCodeOf(diagnose(facts(both), BUILT))).toBe(69);
  });
});

describe('what could be better is a warning, and no obstacle', () => {
  test.each<[string, Record<string, string>]>([
    ['swap', { 'proc/swaps': 'Filename Type Size Used Priority\n/dev/vda5 partition 1000 0 -2\n' }],
    ['isolated CPUs', { 'sys/devices/system/cpu/isolated': '2-3\n' }],
    // BPF, PERFMON and SYS_NICE only.
    ['memlock', { 'proc/self/status': 'CapEff:\t000000c000800000\n' }],
    [
      'kernel config',
      { 'boot/config-6.18.15+deb13-amd64': WORKING_CONFIG.replace('CONFIG_SCHED_CLASS_EXT=y', '') },
    ],
    [
      'sched_ext',
      { 'sys/kernel/sched_ext/state': 'enabled\n', 'sys/kernel/sched_ext/root/ops': 'nodeland\n' },
    ],
  ])('%s', (name, changes) => {
    const checks = diagnose(facts(changes), BUILT);
    expect(find(checks, name)).toMatchObject({ state: 'warning' });
    expect(find(checks, name)!.advice).toBeDefined();
    expect(exitCodeOf(checks)).toBe(0);
  });

  test('an unlimited memlock needs no capability', () => {
    const limits = 'Max locked memory         unlimited            unlimited            bytes\n';
    const changes = { 'proc/self/status': 'CapEff:\t000000c000800000\n', 'proc/self/limits': limits };
    expect(find(diagnose(facts(changes), BUILT), 'memlock')).toMatchObject({
      state: 'ok',
      found: 'limit unlimited',
    });
  });
});

test('the kernel configuration is found packed in /proc too', () => {
  const boot = 'boot/config-6.18.15+deb13-amd64';
  const { kernelConfig } = facts({ [boot]: undefined, 'proc/config.gz': gzipSync(WORKING_CONFIG) });
  expect(kernelConfig?.get('SCHED_CLASS_EXT')).toBe('y');
  expect(facts({ [boot]: undefined }).kernelConfig).toBeUndefined();
});
