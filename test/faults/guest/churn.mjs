// Tasks that come, go, change and are killed faster than their decisions travel.
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { runProgram } from '../../sandbox/guest/scheduler.mjs';
import { ASK_ALL, faultsUnder, tellKernelLog, testProgram } from './faults.mjs';

const SECONDS = 2;
const light = ['stress-ng', '--cpu', '4', '--cpu-method', 'loop', '--quiet'];

const stress = (...families) => [
  ...['stress-ng', '--temp-path', '/tmp', '--timeout', String(SECONDS)],
  ...families.flatMap(([family, count = 2]) => [`--${family}`, String(count)]),
];
/** stress-ng does not let root go through everything that exec can be told. */
const asNobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];

/** Each is a window. */
const churns = {
  'affinity changes': stress(['affinity']),
  exec: [...asNobody, ...stress(['exec'])],
  'fork, vfork, clone': stress(['fork'], ['vfork'], ['clone']),
  'zombies and waits': stress(['zombie'], ['wait']),
  'ptrace stops': stress(['ptrace']),
  // Not as root: at nice -20 two of them are worth more than all canaries of a domain, which then have to wait.
  'nice values': [...asNobody, ...stress(['nice'], ['resched'])],
  // One: two spinning in SCHED_FIFO leave the two CPUs of a domain to nobody else.
  'scheduling classes': stress(['schedpolicy', 1]),
  signals: stress(['kill']),
  'to SCHED_FIFO and SCHED_EXT and back': [testProgram('crowd'), 'hoppers', '8', String(SECONDS)],
};

/** Many more tasks than CPUs, killed while nearly all of them wait; some are with the worker then. */
async function killStorm() {
  for (let round = 0; round < 6; round++) {
    const hogs = spawn('stress-ng', ['--cpu', '24', '--cpu-method', 'loop', '--quiet'], {
      detached: true,
      stdio: 'ignore',
    });
    await sleep(250);
    process.kill(-hogs.pid, 'SIGKILL');
  }
}

/** Tasks moved from one control group to another and back. */
async function cgroupMoves() {
  const script = `
    mkdir -p /sys/fs/cgroup/nl-a /sys/fs/cgroup/nl-b
    stress-ng --cpu 4 --cpu-method loop --quiet & main=$!
    end=$(($(date +%s) + ${SECONDS}))
    while [ $(date +%s) -lt $end ]; do
      for group in nl-a nl-b; do
        for pid in $(pgrep -P $main); do echo $pid > /sys/fs/cgroup/$group/cgroup.procs; done
      done
    done
    kill $main; wait $main
    for pid in $(cat /sys/fs/cgroup/nl-a/cgroup.procs /sys/fs/cgroup/nl-b/cgroup.procs); do kill -9 $pid; done; true`;
  return { program: await runProgram(['sh', '-c', script]) };
}

async function inject(experiment) {
  await experiment.window('none', () => sleep(1000));
  for (const [name, program] of Object.entries(churns)) {
    await experiment.window(name, async () => ({ program: await runProgram(program) }));
  }
  await experiment.window('tasks killed while they wait', killStorm);
  await experiment.window('moves between control groups', cgroupMoves);
}

await faultsUnder('churn', { args: ['--domains', 'node', ...ASK_ALL], load: [light], inject });
tellKernelLog();
