/** `nodeland policy test --sandbox`: real tasks. NODELAND_CONFORMANCE=eevdf,fifo,... tests those policies in place of vtime. */
import { expect, test } from 'vitest';

import { runInGuest } from '../../src/conformance/guest/host.js';
import type { Report } from '../../src/conformance/run.js';
import { PolicyLoader } from '../../src/policy/load.js';
import { whyNoSandbox } from '../sandbox/guest.js';

const policies = (process.env['NODELAND_CONFORMANCE'] ?? 'vtime').split(',');
/** What these policies are for, beside what every policy must do. */
const HAVE_PROPERTIES = ['vtime', 'eevdf'];

test.for(policies)('%s does with real tasks what every policy must do', async (policy, { skip }) => {
  const missing = whyNoSandbox();
  if (missing !== undefined) skip(missing);
  const loader = new PolicyLoader();
  try {
    const { definition } = await loader.load(policy);
    const reports: Report[] = [];
    await runInGuest({
      policy,
      options: [],
      subject: { policy: definition, seed: 1 },
      properties: HAVE_PROPERTIES.includes(policy),
      note: (report) => void reports.push(report),
    });
    expect(reports.filter(({ outcome }) => outcome === 'failed')).toEqual([]);
    expect(reports.map(({ name }) => name)).toContain('whole run');
  } finally {
    loader.close();
  }
});
