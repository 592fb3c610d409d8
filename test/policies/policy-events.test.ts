import { beforeAll, beforeEach, expect, test } from 'vitest';

import { expectCleanRun } from '../sandbox/good-run.js';
import { Guest, LONG_AND_DETERMINISTIC, totalOf, whyNoSandbox } from '../sandbox/guest.js';

/** A policy with every hook, which counts what it is told; see guest/policy-events.mjs. */
interface Witness {
  readonly enqueue: number;
  readonly publish: number;
  readonly dequeue: number;
  readonly taskInit: number;
  readonly taskExit: number;
  readonly running: number;
  readonly stopping: number;
  readonly weightChanged: number;
  readonly affinityChanged: number;
  readonly cpuOnline: number;
  readonly cpuOffline: number;
  readonly tick: number;
  readonly handOff: number;
  readonly kick: number;
  /** Told of a held task again; a decision or an end of holding for one that was not held. */
  readonly twice: number;
  readonly unknown: number;
  /** New tasks whose state was not 0. */
  readonly dirty: number;
  readonly idle: number;
  /** Held at the end. */
  readonly left: number;
}

const missing = whyNoSandbox();
let guest: Guest;
let witnesses: readonly Witness[];

beforeAll(async () => {
  if (missing !== undefined) return;
  guest = await Guest.boot('policy-events.mjs', [], LONG_AND_DETERMINISTIC);
  witnesses = [0, 1].map((domain) => guest.record(`domain ${domain}`) as Witness);
});
beforeEach((context) => {
  if (missing !== undefined) context.skip(missing);
});

test('a policy with every hook schedules as any other', () => {
  expectCleanRun(guest.run('witness'));
  expect(totalOf(guest.run('witness'), 'events_lost')).toBe(0);
});

test.each([0, 1])(
  'domain %i is told of each kind of event of its tasks, as often as they happen',
  (domain) => {
    const seen = witnesses[domain];
    for (const kind of [
      'enqueue',
      'taskInit',
      'taskExit',
      'running',
      'stopping',
      'tick',
      'kick',
      'idle',
    ] as const) {
      expect(seen[kind], kind).toBeGreaterThan(5);
    }
    expect(seen.weightChanged + seen.affinityChanged).toBeGreaterThan(2);
    expect(Math.abs(seen.running - seen.stopping)).toBeLessThan(0.1 * seen.running + 10);
  },
);

test('every task told is decided, handed over or taken back once, and none is told twice', () => {
  for (const seen of witnesses) {
    expect([seen.twice, seen.unknown, seen.dirty]).toEqual([0, 0, 0]);
    expect(seen.enqueue).toBe(seen.publish + seen.dequeue + seen.handOff + seen.left);
  }
  expect(witnesses[0].dequeue + witnesses[1].dequeue).toBeGreaterThan(0);
});

test('tasks handed to another domain are decided there', () => {
  expect(witnesses[0].handOff + witnesses[1].handOff).toBeGreaterThan(0);
  expect(totalOf(guest.run('witness'), 'handed')).toBeGreaterThan(0);
  expect(totalOf(guest.run('witness'), 'foreign')).toBe(0);
});

test('the domain whose CPU went and came back is told of both', () => {
  expect(witnesses.map(({ cpuOffline, cpuOnline }) => [cpuOffline, cpuOnline])).toEqual([
    [0, 0],
    [1, 1],
  ]);
});
