/** What `nodeland run` says on this machine itself, where it cannot or may not run. It never attaches here. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const MAIN = fileURLToPath(new URL('../../lib/src/cli/main.js', import.meta.url));
const isRoot = process.getuid?.() === 0;

const run = (...prefix: string[]): { status: number | null; stderr: string } => {
  const [command, ...args] = [...prefix, process.execPath, MAIN, 'run', '--duration', '1'];
  return spawnSync(command, args, { encoding: 'utf8', timeout: 60_000 });
};

test('a kernel without sched_ext is refused with 69, which kernels have it, and the sandbox', ({ skip }) => {
  if (!isRoot) skip('without root it is the privilege that is missing first');
  if (existsSync('/sys/kernel/sched_ext')) skip('this kernel has sched_ext');
  const { status, stderr } = run();
  if (status === 77) skip('root has not the capabilities here');
  expect(stderr).toMatch(/^nodeland: this kernel has no sched_ext/);
  expect(stderr).toContain('nodeland sandbox -- COMMAND');
  expect(stderr).not.toContain('    at ');
  expect(status).toBe(69);
});

test('without capabilities it is refused with 77, and they are named', () => {
  // Root without a capability can still read the checkout, wherever it lies.
  const powerless = ['setpriv', '--bounding-set=-all', '--inh-caps=-all'];
  const { status, stderr } = isRoot ? run(...powerless) : run();
  expect(stderr).toMatch(/^nodeland: not enough privilege.*CAP_BPF, CAP_PERFMON, CAP_SYS_NICE missing/);
  expect(status).toBe(77);
});
