import { expect, test } from 'vitest';

import {
  expectCleanRun,
  expectDecidedEverywhere,
  expectLoadsFinished,
  expectNoFaults,
  expectWorkersInPlace,
} from './good-run.js';
import { Guest, whyNoSandbox } from './guest.js';

const KERNEL = '6.18';

test('the same object schedules a 6.18 kernel, one domain for each of two nodes', async ({ skip }) => {
  const missing = whyNoSandbox(KERNEL);
  if (missing !== undefined) skip(missing);
  const guest = await Guest.boot('one-run.mjs', ['--domains', 'node'], { kernel: KERNEL });
  const run = guest.run('run');
  expect(run.plan.map(({ name }) => name)).toEqual(['node0', 'node1']);
  expectCleanRun(run);
  expectLoadsFinished(run);
  expectDecidedEverywhere(run);
  expectWorkersInPlace(run);
  expectNoFaults(run);
});
