// The whole process stopped for nearly a minute, under load.
import { setTimeout as sleep } from 'node:timers/promises';
import { ASK_ALL, faultsUnder, tellKernelLog } from './faults.mjs';

await faultsUnder('stopped', {
  args: ['--domains', 'node', ...ASK_ALL],
  inject: async (experiment) => {
    const { child } = experiment.scheduler;
    await experiment.window('process stopped for 50 s', async () => {
      child.kill('SIGSTOP');
      await sleep(50_000);
      child.kill('SIGCONT');
    });
    await experiment.window('afterwards', () => sleep(2000));
  },
});
tellKernelLog();
