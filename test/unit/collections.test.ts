import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

import { BUILTIN_POLICY_NAMES } from '../../src/policy/builtin-names.js';

const script = fileURLToPath(new URL('fixtures/collections.mjs', import.meta.url));
const DECISIONS = 10_000_000;
/** The young generation of a worker: src/supervisor/run.ts. */
const FLAGS = ['--min-semi-space-size=1', '--max-semi-space-size=1'];

test.each(BUILTIN_POLICY_NAMES)(
  '%s decides 10 million times without a collection',
  { timeout: 120_000 },
  (policy) => {
    const output = execFileSync(process.execPath, [...FLAGS, script, policy, String(DECISIONS)], {
      encoding: 'utf8',
    });
    const { collections, decided } = JSON.parse(output) as { collections: number; decided: number };
    expect(decided).toBeGreaterThanOrEqual(DECISIONS);
    expect(collections).toBe(0);
  },
);
