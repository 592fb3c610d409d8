import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, test } from 'vitest';
import { CONFORMANCE, type Report, runCheck } from '../../src/conformance/run.js';
import { BUILTIN_POLICY_NAMES } from '../../src/policy/builtin-names.js';
import { definePolicy, type PolicyContext, type PolicyDefinition } from '../../src/policy/policy.js';
import type { Slot } from '../../src/shm/slot.js';

const folder = fileURLToPath(new URL('../../examples/', import.meta.url));
const examples = readdirSync(folder).filter((name) => name.endsWith('.ts'));

const cli = fileURLToPath(new URL('../../lib/src/cli/main.js', import.meta.url));

/** In a process of its own: what the compiler made of other policies' code would make this one's allocate. */
function expectConforming(policy: string): void {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, 'policy', 'test', policy, '--json'], {
    encoding: 'utf8',
  });
  const reports = stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Report);
  expect(stderr).toBe('');
  expect(reports.filter(({ outcome }) => outcome === 'failed')).toEqual([]);
  expect(reports).toHaveLength(CONFORMANCE.length);
  expect(status).toBe(0);
}

describe('what every policy must do', () => {
  beforeEach(({ skip }) => {
    if (!existsSync(cli)) skip('nothing is built');
  });

  test.each([...BUILTIN_POLICY_NAMES])('%s does', { timeout: 120_000 }, (name) => {
    expectConforming(name);
  });

  test.each(examples)('examples/%s does', { timeout: 120_000 }, (name) => {
    expectConforming(`${folder}${name}`);
  });
});

/** A policy that hands each held task to `decide`, and keeps it when that says no. */
const simple = (
  name: string,
  decide: (context: PolicyContext, slot: Slot, count: number) => boolean,
): PolicyDefinition =>
  definePolicy({
    name,
    summary: 'has one fault',
    standing: 'none',
    create: (context) => {
      const held: Slot[] = [];
      let count = 0;
      return {
        enqueue: (slot) => void held.push(slot),
        dispatch: () => {
          for (const slot of held.splice(0)) if (!decide(context, slot, count++)) held.push(slot);
        },
      };
    },
  });

describe('a fault is found', () => {
  const outcomes = (policy: PolicyDefinition): Record<string, string> =>
    Object.fromEntries(
      CONFORMANCE.map((check) => {
        const { name, outcome } = runCheck(check, { policy, seed: 1 });
        return [name, outcome];
      }),
    );

  test('of a policy that forgets a task now and then', { timeout: 120_000 }, () => {
    const forgets = simple('forgets', ({ decisions, clock }, slot, count) => {
      if (count % 500 === 499) return true;
      decisions.keyNs[slot] = clock.clockNs();
      return decisions.publish(slot, 0, 0xffff, 0);
    });
    const found = outcomes(forgets);
    expect(found['nothing lost']).toBe('failed');
    expect(found['slots used again']).toBe('failed');
  });

  test('of a policy that says it respects weights, and does not', { timeout: 120_000 }, () => {
    const equal = simple('equal', ({ decisions, clock }, slot) => {
      decisions.keyNs[slot] = clock.clockNs();
      return decisions.publish(slot, 0, 0xffff, 0);
    });
    expect(outcomes(equal)).toMatchObject({
      weights: 'failed',
      'nothing lost': 'passed',
      'no allocation': 'failed',
    });
  });

  test('of a policy that uses one CPU only', { timeout: 120_000 }, () => {
    const one = simple('one-cpu', ({ decisions, clock }, slot) => {
      decisions.keyNs[slot] = clock.clockNs();
      return decisions.publish(slot, 0, 0, 0);
    });
    expect(outcomes(one)['CPUs busy']).toBe('failed');
  });

  test('of a policy that throws, with the place', () => {
    const throwing = simple('throwing', () => {
      throw new Error('out of ideas');
    });
    const { outcome, detail } = runCheck(CONFORMANCE[1], { policy: throwing, seed: 1 });
    expect(outcome).toBe('failed');
    expect(detail).toMatch(/it threw: out of ideas \(.*conformance\.test\.ts:\d+/);
  });
});
