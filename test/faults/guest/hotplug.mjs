// CPUs that go and come back, and a machine that is frozen as before a suspend.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { schedExt } from '../../sandbox/guest/scheduler.mjs';
import { ASK_ALL, faultsUnder, tellKernelLog } from './faults.mjs';

const GONE_MS = 1500;
/** A restart inside the process is quick on a real machine; its workers' warm-up takes seconds in an emulated one. */
const ATTACH_LIMIT_MS = 60_000;

const setOnline = (cpu, isOnline) =>
  writeFileSync(`/sys/devices/system/cpu/cpu${cpu}/online`, isOnline ? '1' : '0');

/** How often each CPU has interrupted itself, which is how the kernel carries out kicks; all have to be online. */
function selfInterrupts() {
  const counts = /:([\d\s]+)IRQ work interrupts/.exec(readFileSync('/proc/interrupts', 'utf8'))?.[1];
  return counts?.trim().split(/\s+/).map(Number);
}

/** Does something to the machine and watches until the scheduler is attached (again); how long it was not goes into the record. */
async function watched(scheduler, action) {
  let awayMs = 0;
  let isOver = false;
  const watching = (async () => {
    for (let lastMs = performance.now(); !isOver;) {
      await sleep(20);
      const nowMs = performance.now();
      if (schedExt('state') !== 'enabled') awayMs += nowMs - lastMs;
      lastMs = nowMs;
    }
  })();
  await action();
  await sleep(GONE_MS);
  await scheduler.until(() => schedExt('state') === 'enabled', ATTACH_LIMIT_MS);
  isOver = true;
  await watching;
  return { awayMs };
}

async function goneAndBack(experiment, what, cpus) {
  const { scheduler, canaries } = experiment;
  const set = (isOnline) => watched(scheduler, () => cpus.forEach((cpu) => setOnline(cpu, isOnline)));
  await experiment.window(`${what} goes offline`, () => set(false));
  await experiment.window(`${what} comes back`, () => set(true));
  canaries.pin();
  await experiment.window(`after ${what} came back`, async () => {
    const before = selfInterrupts();
    await sleep(1000);
    return { selfInterrupts: selfInterrupts()?.map((count, cpu) => count - before[cpu]) };
  });
}

async function inject(experiment) {
  const { cpus, workerCpu } = experiment.scheduler.log('plan').domains[1];
  await experiment.window('none', () => sleep(1000));
  await goneAndBack(experiment, 'a CPU', [cpus.find((cpu) => cpu !== workerCpu)]);
  await goneAndBack(experiment, "a worker's CPU", [workerCpu]);
  await goneAndBack(experiment, "a whole domain's CPUs", cpus);
  if (existsSync('/sys/power/pm_test')) {
    writeFileSync('/sys/power/pm_test', 'freezer');
    // Five seconds in which nothing runs but this write.
    await experiment.window('machine frozen', () =>
      watched(experiment.scheduler, () => writeFileSync('/sys/power/state', 'freeze')),
    );
    await experiment.window('after the freeze', () => sleep(1000));
  }
}

await faultsUnder('hotplug', { args: ['--domains', 'node', ...ASK_ALL], inject });
tellKernelLog();
