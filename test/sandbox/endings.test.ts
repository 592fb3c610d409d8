import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { layoutHashOf } from '../../src/shm/layout.js';
import { LAYOUT_HASH } from '../../src/shm/layout.generated.js';
import { renameInObject } from '../native/doctored-object.js';
import { expectCleanRun, expectLoadsFinished } from './good-run.js';
import { Guest, type ProgramRecord, type RunRecord, totalOf, whyNoSandbox } from './guest.js';

const fromRoot = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** One boot for all of these. */
const missing = whyNoSandbox();
const doctoredPath = fromRoot(`build/test/doctored-${process.pid}.bpf.o`);
let doctoredHash = '';
let guest: Guest;

beforeAll(async () => {
  if (missing !== undefined) return;
  const doctored = renameInObject(readFileSync(fromRoot('build/bpf/nodeland.bpf.o')), 'key_hi', 'key_ho');
  doctoredHash = layoutHashOf(doctored);
  mkdirSync(dirname(doctoredPath), { recursive: true });
  writeFileSync(doctoredPath, doctored);
  guest = await Guest.boot('endings.mjs', [doctoredPath]);
});
afterAll(() => rmSync(doctoredPath, { force: true }));
beforeEach((context) => {
  if (missing !== undefined) context.skip(missing);
});

test('doctor finds nothing wrong in the machine', () => {
  const { exitCode, stdout } = guest.program('doctor');
  expect(exitCode, stdout).toBe(0);
  expect(stdout).toContain('nodeland can run here');
});

test('without privilege run says what is missing and exits 77', () => {
  const { exitCode, stderr } = guest.program('unprivileged');
  expect(stderr).toMatch(/^nodeland: not enough privilege.*CAP_BPF.*CAP_SYS_NICE.*sudo npx nodeland run\n$/);
  expect(exitCode).toBe(77);
});

test('an object with another memory layout is refused before anything is loaded', () => {
  const { exitCode, stderr, stateAfter } = guest.program('doctored object') as ProgramRecord & {
    stateAfter: string;
  };
  expect(stderr).toContain(`memory layout ${doctoredHash}`);
  expect(stderr).toContain(LAYOUT_HASH);
  expect(stderr).toContain('npm run build');
  expect(stderr).not.toContain('    at ');
  expect([exitCode, stateAfter]).toEqual([1, 'disabled']);
});

describe('with --partial', () => {
  interface Partial {
    readonly ext: { isExt: boolean; policy: number; wakes: number } | null;
    readonly extStderr: string;
    readonly ordinaryIsExt: boolean;
  }

  test('a task in SCHED_EXT is scheduled, with its wake-ups counted', () => {
    const run = guest.run('partial') as RunRecord & Partial;
    expectCleanRun(run);
    expect(run.ext, run.extStderr).toEqual({ isExt: true, policy: 7, wakes: 200 });
    expect(totalOf(run, 'idle', 'standing', 'asked')).toBeGreaterThanOrEqual(150);
  });

  test('ordinary tasks stay with the kernel', () => {
    const run = guest.run('partial') as RunRecord & Partial;
    expect(run.switchAll).toBe('0');
    expect(run.ordinaryIsExt).toBe(false);
    expectLoadsFinished(run);
    // hackbench alone wakes up thousands of times.
    expect(totalOf(run, 'idle', 'standing', 'asked', 'bound', 'kthread')).toBeLessThan(600);
  });
});

describe('a policy that throws', () => {
  interface Throwing {
    readonly isTold: boolean;
    readonly isAlive: boolean;
    readonly ordinaryIsExt: boolean;
    readonly afterwards: ProgramRecord;
  }
  const run = (): RunRecord & Throwing => guest.run('throwing policy') as RunRecord & Throwing;

  test('is reported with its name, file and line, and started again', () => {
    const errors = run().problems.filter(({ level }) => level >= 50);
    expect(errors[0].msg).toMatch(
      /^the worker of domain all failed: policy throwing: out of ideas \(.*throwing-policy\.mjs:\d+:\d+\)+; it is started again in 100 ms$/,
    );
  });

  test('is told once more as a domain that is scheduled in the kernel', () => {
    const gone = 'domain all is scheduled in the kernel: its worker is gone';
    expect(run().problems.map(({ msg }) => msg)).toContain(gone);
  });

  test('leaves its domain scheduled in the kernel meanwhile, and the process alive', () => {
    expect(run()).toMatchObject({ isTold: true, isAlive: true, ordinaryIsExt: true });
    expect(totalOf(run(), 'decided', 'rescued')).toBeGreaterThan(0);
    expect(totalOf(run(), 'absent')).toBeGreaterThan(0);
    expectLoadsFinished(run());
    expect(run().afterwards).toMatchObject({ exitCode: 0 });
  });

  test('does not keep it from stopping cleanly', () => {
    expectCleanRun(run());
  });
});

test('an end from outside is printed with the reason in the words of the kernel, and is exit code 1', () => {
  const run = guest.run('ended from outside');
  // While the kernel lets go, which takes long in an emulated machine, the worker may stand still.
  const problems = run.problems
    .map(({ msg }) => msg)
    .filter((msg) => !msg.includes('its worker was stalled'));
  expect(problems).toEqual(['the kernel ended it: disabled by sysrq-S']);
  expect([run.stateDuring, run.exitCode, run.hung, run.stateAfter]).toEqual([
    'enabled',
    1,
    false,
    'disabled',
  ]);
  expect(run.compactionAfter).toBe(run.compactionBefore);
});
