// A policy with every hook, under tasks that come, go, change weight and affinity, and a CPU that goes and comes back.
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { guestFile, runProgram, scheduleUnder, stressNg } from './scheduler.mjs';

const MS = 1000;

async function disturb() {
  const hogs = runProgram(['stress-ng', '--cpu', '4', '--cpu-method', 'loop', '-t', '3', '--quiet']);
  const mover = runProgram([
    'sh',
    '-c',
    'cp "$(readlink -f /bin/sh)" /tmp/mover; exec timeout 1 /tmp/mover -c "while :; do :; done"',
  ]);
  await sleep(0.5 * MS);
  const others = [
    // Often, so that one of them waits for a decision at that moment.
    runProgram([
      'sh',
      '-c',
      'hogs=$(pidof stress-ng-cpu); for n in $(seq 30); do renice -n 5 -p $hogs; renice -n 4 -p $hogs; done',
    ]),
    runProgram([
      'sh',
      '-c',
      'for n in 1 2 3; do for p in $(pidof stress-ng-cpu); do taskset -p 3 $p; taskset -p f $p; done; done',
    ]),
  ];
  // Tasks that come and go, in each domain.
  for (const cpus of ['0,1', '2,3']) {
    others.push(runProgram(['taskset', '-c', cpus, 'sh', '-c', 'for n in $(seq 12); do ls /proc/$n; done']));
  }
  await Promise.all(others);
  writeFileSync('/sys/devices/system/cpu/cpu2/online', '0');
  await sleep(0.3 * MS);
  writeFileSync('/sys/devices/system/cpu/cpu2/online', '1');
  return Promise.all([hogs, mover]);
}

let disturbed;
await scheduleUnder('witness', {
  args: ['--domains', 'node', '--policy', guestFile('witness-policy.mjs')],
  groups: [[stressNg]],
  during: async () => {
    disturbed = await disturb();
    return { disturbed: disturbed.map(({ exitCode, stderr }) => ({ exitCode, stderr })) };
  },
});
for (const domain of [0, 1]) {
  process.stdout.write(
    `${JSON.stringify({ name: `domain ${domain}`, ...JSON.parse(readFileSync(`/tmp/witness-${domain}.json`, 'utf8')) })}\n`,
  );
}
