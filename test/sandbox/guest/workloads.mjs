// Schedules this machine with one policy after another: `node workloads.mjs POLICY...`. Each under messages, CPU hogs, timers, and a
// few seconds of the scx project's acceptance line.
import { cpus } from 'node:os';
import { cyclictest, hackbench, scheduleUnder, stressNg } from './scheduler.mjs';

const count = String(cpus().length);
const acceptance = [
  ...[
    'stress-ng',
    '--aggressive',
    '-M',
    '-c',
    count,
    '-f',
    count,
    '--affinity',
    '1',
    '--affinity-delay',
    '1',
  ],
  ...['--affinity-pin', '-t', '5'],
];

for (const policy of process.argv.slice(2)) {
  await scheduleUnder(policy, {
    args: ['--domains', 'node', '--policy', policy],
    groups: [[hackbench], [stressNg, cyclictest], [acceptance]],
  });
}
