// Attach and detach, over and over, under load: `node reload.mjs CYCLES`.
import { setTimeout as sleep } from 'node:timers/promises';
import { guestModule, tellKernelLog } from './faults.mjs';
import { hackbench, nodeland, runProgram, schedExt, tell } from '../../sandbox/guest/scheduler.mjs';

const LIMIT_MS = 3_600_000;
const GRACE_MS = 60_000;
/**
 * The load is some forty tasks, always runnable, and checking the programs keeps a CPU busy for seconds in an emulated machine.
 * With a fortieth of the CPUs one cycle takes minutes.
 */
const FIRST = ['nice', '-n', '-20'];

/** How many BPF programs and maps the kernel has. */
async function bpfObjects() {
  const count = async (kind) => JSON.parse((await runProgram(['bpftool', kind, 'list', '-j'])).stdout).length;
  return { programs: await count('prog'), maps: await count('map') };
}

/** The kernel frees a scheduler's programs some grace periods after it is gone, which on a busy host are seconds. */
async function bpfObjectsLeft(wanted) {
  const endMs = performance.now() + GRACE_MS;
  let left = await bpfObjects();
  while (left.programs + left.maps > wanted.programs + wanted.maps && performance.now() < endMs) {
    await sleep(500);
    left = await bpfObjects();
  }
  return left;
}

const before = await bpfObjects();
let isOver = false;
const load = (async () => {
  const exitCodes = [];
  while (!isOver) exitCodes.push((await runProgram(hackbench)).exitCode);
  return exitCodes;
})();
const cycles = await runProgram(
  [...FIRST, process.execPath, guestModule('cycles'), process.argv[2]],
  LIMIT_MS,
);
const runs = [];
for (let run = 0; run < 3; run++) {
  const { exitCode, stderr } = await runProgram([...FIRST, ...nodeland, 'run', '--duration', '1'], LIMIT_MS);
  runs.push({ exitCode, stderr, state: schedExt('state') });
}
isOver = true;
const loads = await load;
tell('cycles', {
  exitCode: cycles.exitCode,
  stderr: cycles.stderr,
  seconds: cycles.seconds,
  ...JSON.parse(cycles.stdout || 'null'),
  bpfBefore: before,
  bpfAfter: await bpfObjectsLeft(before),
  rejected: schedExt('nr_rejected'),
  loads,
  runs,
});
tellKernelLog();
