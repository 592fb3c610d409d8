// Policies that fail for good: each time the domain is scheduled in the kernel until its worker has been started again, and
// after three failures within a minute the domain stays with the built-in policy.
import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ASK_ALL, faultsUnder, order, policyFile, tellKernelLog } from './faults.mjs';

const args = ['--domains', 'node', '--policy', policyFile('obedient')];
/** Less than in the other experiments: a worker that is started again has to be warm before it schedules. */
const load = [['stress-ng', '--cpu', '2', '--cpu-method', 'loop', '--quiet']];
/** A worker takes seconds to start in an emulated machine. */
const BACK_LIMIT_MS = 60_000;

/** Injects one failure into a domain and waits until its worker schedules again, after having said `first`. */
async function failure(experiment, fault, domain, kind, first = '') {
  await experiment.window(fault, async () => {
    const isSaid = experiment.said(first, BACK_LIMIT_MS);
    const back = `domain node${domain} is scheduled by its worker again`;
    order(domain, { kind });
    return { isBack: (await isSaid) && (await experiment.said(back, BACK_LIMIT_MS)) };
  });
}

async function run(name, more, failures) {
  await faultsUnder(name, {
    args: [...args, ...more],
    load,
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
  ['policy uses all memory', 1, 'memory'],
  // Its thread is gone, and what is loaded anew fails.
  ['policy fails three times', 1, 'break', 'stays with the built-in policy'],
]);
rmSync('/tmp/fault-broken');
await run('defaults', [], [['policy calls process.exit()', 0, 'exit']]);
tellKernelLog();
