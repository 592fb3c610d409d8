// Schedules this machine with one domain, one for each node, and one for each CPU, each under a mixed load. Each run is
// stopped by another signal.
import { cyclictest, hackbench, nodeland, runProgram, scheduleUnder, stressNg } from './scheduler.mjs';

const groups = [[hackbench], [stressNg, cyclictest]];

await scheduleUnder('one', { args: ['--domains', 'one'], groups, signal: 'SIGINT' });
await scheduleUnder('node', {
  args: ['--domains', 'node'],
  groups,
  signal: 'SIGTERM',
  during: async () => ({ second: await runProgram([...nodeland, 'run', '--duration', '1']) }),
});
await scheduleUnder('each CPU', { args: ['--domains', '0;1;2;3'], groups, signal: 'SIGHUP' });
