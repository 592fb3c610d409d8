// What stops a worker, the main thread or the whole process for a while and ends by itself; and the process's death.
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { runProgram, schedExt } from '../../sandbox/guest/scheduler.mjs';
import { ASK_ALL, faultsUnder, guestModule, order, policyFile, tellKernelLog } from './faults.mjs';

const args = ['--domains', 'node', '--policy', policyFile('obedient')];
const RT_HOG_S = 3;
const RT_BURSTS = 20;

const pauses = {
  none: () => sleep(2000),
  'worker pauses 200 ms': async () => {
    order(0, { kind: 'pause', ms: 200 });
    await sleep(600);
  },
  'worker pauses 2 s': async () => {
    order(0, { kind: 'pause', ms: 2000 });
    await sleep(2500);
  },
  'worker collects garbage for 500 ms': async () => {
    order(0, { kind: 'garbage', ms: 500 });
    await sleep(1000);
  },
  'policy forgets every third task for 1 s': async () => {
    order(0, { kind: 'forget', ms: 1000 });
    await sleep(1500);
  },
  'main thread blocked for 2 s': async () => {
    writeFileSync('/tmp/block-main', '2000');
    await sleep(2500);
  },
  'process stopped for 3 s': async ({ scheduler: { child } }) => {
    child.kill('SIGSTOP');
    await sleep(3000);
    child.kill('SIGCONT');
  },
  "SCHED_FIFO hog on a worker's CPU for 3 s": ({ scheduler }) =>
    hog(scheduler.log('plan').domains[0].workerCpu, RT_HOG_S),
  // Often enough that one takes a CPU that idles, in the moment in which a task is sent there.
  'SCHED_FIFO bursts of 0.2 s': async () => {
    for (let burst = 0; burst < RT_BURSTS; burst++) await hog(burst % cpus().length, 0.2);
  },
};

function hog(cpu, seconds) {
  const command = ['taskset', '-c', cpu, 'chrt', '-f', '50', 'sh', '-c', 'while :; do :; done'];
  return runProgram(['timeout', '-s', 'KILL', seconds, ...command].map(String));
}

async function killed(experiment) {
  const isDisabled = () => schedExt('state') === 'disabled';
  await experiment.window('process killed', async () => {
    experiment.scheduler.child.kill('SIGKILL');
    const startMs = performance.now();
    while (!isDisabled() && performance.now() - startMs < 10_000) await sleep(10);
    return { disabledAfterS: (performance.now() - startMs) / 1000 };
  });
}

async function run(name, more, faults, signal) {
  await faultsUnder(name, {
    args: [...args, ...more],
    signal,
    inject: async (experiment) => {
      for (const fault of faults) await experiment.window(fault, () => pauses[fault](experiment));
      if (signal === null) await killed(experiment);
    },
  });
}

process.env.NODE_OPTIONS = `--import ${guestModule('block-main')}`;
await run('asking always', ASK_ALL, Object.keys(pauses), 'SIGTERM');
await run(
  'defaults',
  [],
  ['none', 'worker pauses 2 s', 'process stopped for 3 s', "SCHED_FIFO hog on a worker's CPU for 3 s"],
  null,
);
tellKernelLog();
