import { expect, test } from 'vitest';

import { expectCleanRun, expectLoadsFinished, expectWorkersInPlace } from '../sandbox/good-run.js';
import { Guest, whyNoSandbox } from '../sandbox/guest.js';

test('32 CPUs in 8 nodes are scheduled by eight workers', async ({ skip }) => {
  const missing = whyNoSandbox();
  if (missing !== undefined) skip(missing);
  const machine = { cpus: 32, nodes: 8, memoryGiB: 4, timeoutSeconds: 1700 };
  const guest = await Guest.boot('manycore.mjs', [], machine);
  const run = guest.run('run');
  expect(run.plan.map(({ name }) => name)).toEqual(Array.from({ length: 8 }, (_, node) => `node${node}`));
  expect(new Set(run.plan.flatMap(({ cpus }) => cpus)).size).toBe(32);
  expectCleanRun(run);
  expectLoadsFinished(run);
  expectWorkersInPlace(run);
  for (const domain of run.counters) {
    // With this many CPUs a domain may find an idle one for every task it has.
    expect(domain.idle + domain.decided).toBeGreaterThan(0);
    expect(domain.decided + domain.stale + domain.dead_slot + domain.gone).toBeLessThanOrEqual(
      domain.worker.published,
    );
  }
  expect(run.counters.some(({ decided }) => decided > 0)).toBe(true);
});
