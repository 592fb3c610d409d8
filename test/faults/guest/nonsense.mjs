// Decisions that are wrong, a policy whose memory is taken away, and more tasks than the slot table has places.
import { setTimeout as sleep } from 'node:timers/promises';
import { runProgram } from '../../sandbox/guest/scheduler.mjs';
import { ASK_ALL, faultsUnder, policyFile, tellKernelLog, testProgram } from './faults.mjs';

const SECONDS = 4;
const domains = ['--domains', 'node'];
/** Tasks that may run on one CPU of each domain: a decision for the other one is outside their affinity. */
const straddling = ['taskset', '-c', '0,2', 'stress-ng', '--cpu', '2', '--cpu-method', 'loop', '--quiet'];
const hogs = ['stress-ng', '--cpu', '4', '--cpu-method', 'loop', '--quiet'];
const memory = ['stress-ng', '--vm', '2', '--vm-bytes', '1200M', '--vm-keep', '--quiet'];

const watch = (fault) => (experiment) => experiment.window(fault, () => sleep(SECONDS * 1000));

await faultsUnder('chaos', {
  args: [...domains, '--policy', policyFile('chaos'), ...ASK_ALL],
  load: [hogs, straddling],
  inject: watch('policy publishes nonsense'),
});
await faultsUnder('dropping', {
  args: [...domains, '--policy', policyFile('dropping'), ...ASK_ALL],
  load: [hogs, memory],
  inject: watch('worker loses its pages under memory pressure'),
});
await faultsUnder('crowd', {
  args: [...domains, '--slots', '512', ...ASK_ALL],
  load: [],
  inject: (experiment) =>
    experiment.window('more tasks than slots', async () => ({
      crowd: await runProgram([testProgram('crowd'), 'sleepers', '700', String(SECONDS)]),
    })),
});
tellKernelLog();
