/** What must hold of every run that was stopped by us. */
import { expect } from 'vitest';

import { pageFaultsOf, type RunRecord } from './guest.js';

/** Minor faults of a worker after attach: 0 is the aim, 0 and 1 were seen; major ones never may be. */
const MINOR_FAULTS_MAX = 64;

export function expectCleanRun(run: RunRecord): void {
  expect(run.isAttached, run.stray).toBe(true);
  expect(run.startMs).toBeGreaterThan(0);
  expect(run.startMs).toBeLessThanOrEqual(run.attachedMs ?? 0);
  expect(run.hung).toBe(false);
  expect(run.exitCode, run.stray).toBe(0);
  expect(run.exitReason).toBe('unregistered from user space');
  expect([run.stateDuring, run.stateAfter]).toEqual(['enabled', 'disabled']);
  expect([run.compactionDuring, run.compactionAfter]).toEqual(['0', run.compactionBefore]);
  expect(run.stray).toBe('');
}

/**
 * No warnings or errors. In a machine that is emulated by several threads a CPU stands still whenever its host thread does;
 * a worker on it is then late like any other program, and the domain falls back for a moment as it should.
 */
export function expectNoProblems(run: RunRecord): void {
  const late =
    /^domain \S+ (is|was) scheduled in the kernel[:,] its worker (is|was) stalled|^the main thread stood still/;
  expect(run.problems.filter(({ msg }) => !late.test(msg))).toEqual([]);
}

export function expectLoadsFinished(run: RunRecord): void {
  expect(run.loads.length).toBeGreaterThan(0);
  for (const { command, exitCode, stderr } of run.loads) {
    expect({ command, exitCode, stderr }).toEqual({ command, exitCode: 0, stderr });
  }
}

/** Every domain's worker decided tasks, and each decision came to something that was counted. */
export function expectDecidedEverywhere(run: RunRecord): void {
  expect(run.counters).toHaveLength(run.plan.length);
  for (const domain of run.counters) {
    expect(domain.decided).toBeGreaterThan(0);
    expect(domain.worker.policy_errors).toBe(0);
    const settled = domain.decided + domain.stale + domain.dead_slot + domain.gone;
    expect(settled).toBeLessThanOrEqual(domain.worker.published);
    expect(domain.bad_cpu + domain.affinity + domain.slice_clamped + domain.key_clamped).toBe(0);
  }
}

export function expectWorkersInPlace(run: RunRecord): void {
  for (const { name, workerCpu, cpus } of run.plan) {
    expect(cpus).toContain(workerCpu);
    const seen = run.placements.filter(({ comm }) => comm === `nl-${name}`);
    expect(seen.length).toBeGreaterThan(0);
    for (const { cpu, allowed } of seen) expect([cpu, allowed]).toEqual([workerCpu, String(workerCpu)]);
  }
}

export function expectNoFaults(run: RunRecord): void {
  const faults = pageFaultsOf(run);
  expect(faults).toHaveLength(run.plan.length);
  for (const { minor, major } of faults) {
    expect(major).toBe(0);
    expect(minor).toBeLessThan(MINOR_FAULTS_MAX);
  }
}
