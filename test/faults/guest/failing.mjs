// Policies that fail for good: each time the domain is scheduled in the kernel until its worker has been started again, and
// after three failures within a minute the domain stays with the built-in policy.
import { setTimeout as sleep } from 'node:timers/promises';
import { ASK_ALL, faultsUnder, order, policyFile, tellKernelLog } from './faults.mjs';

const args = ['--domains', 'node', '--policy', policyFile('obedient')];
/** A worker takes seconds to start in an emulated machine. */
const BACK_LIMIT_MS = 60_000;

/** Injects one failure into a domain and waits until its worker schedules again, or `text` is said. */
async function failure(
  experiment,
  fault,
  domain,
  kind,
  text = `domain node${domain} is scheduled by its worker again`,
) {
  await experiment.window(fault, async () => {
    const isBack = experiment.said(text, BACK_LIMIT_MS);
    order(domain, { kind });
    return { isBack: await isBack };
  });
}

async function run(name, more, failures) {
  await faultsUnder(name, {
    args: [...args, ...more],
    inject: async (experiment) => {
      await experiment.window('none', () => sleep(1000));
      for (const one of failures) await failure(experiment, ...one);
      await experiment.window('afterwards', () => sleep(1000));
    },
  });
}

await run('asking always', ASK_ALL, [
  ['policy throws', 1, 'throw'],
  ['policy loops without end', 0, 'loop'],
  ['policy calls process.exit()', 1, 'exit'],
  ['policy uses all memory', 1, 'memory', 'stays with the built-in policy'],
]);
await run(
  'defaults',
  [],
  [
    ['policy throws', 0, 'throw'],
    ['policy loops without end', 1, 'loop'],
  ],
);
tellKernelLog();
