// On a CPU that does not belong to a worker, a task that is always in a critical section, or one that never is, beside one
// that wakes often and one that computes as well; then eight such tasks on all CPUs. Tells how long each ran and waited.
import { extend, guestFile, runProgram, Scheduler, tell } from './scheduler.mjs';

const holder = guestFile('../../../build/test/holder');
const LAST_CPU = ['taskset', '-c', '3'];
const SECONDS = '1';

const start = {
  waker: (kind) => [
    runProgram([...LAST_CPU, holder, kind, SECONDS]),
    runProgram([...LAST_CPU, ...'cyclictest -q -t 1 -i 10000 -h 20000 -D'.split(' '), SECONDS]),
  ],
  pair: () => ['plain', 'greedy'].map((kind) => runProgram([...LAST_CPU, holder, kind, SECONDS])),
  crowd: () => Array.from({ length: 8 }, () => runProgram([holder, 'greedy', SECONDS])),
};

async function under(name, args, ...loads) {
  const scheduler = new Scheduler(['--domains', 'one', ...args]);
  const tasks = [];
  if (await scheduler.attached()) {
    for (const load of loads) {
      const ended = await Promise.all(load());
      tasks.push(ended.map(({ stdout }) => read(stdout)));
    }
  }
  await scheduler.stop('SIGTERM');
  tell(name, { ...scheduler.record(), tasks });
}

/** What a holder prints is JSON; cyclictest a histogram of how late it woke. */
function read(text) {
  const rows = [...text.matchAll(/^(\d+)\s+(\d+)$/gm)].map(([, us, count]) => [Number(us), Number(count)]);
  if (rows.length === 0) return JSON.parse(text);
  const lateUs = rows.flatMap(([us, count]) => new Array(count).fill(us));
  const sumUs = lateUs.reduce((sum, us) => sum + us, 0);
  return { averageUs: sumUs / lateUs.length, p90Us: lateUs[Math.floor(0.9 * lateUs.length)] };
}

extend(10);
const { waker, pair, crowd } = start;
const on = ['--extension-us', '2000'];
await under(
  'switched on',
  on,
  () => waker('plain'),
  () => waker('greedy'),
  pair,
  crowd,
);
await under('switched off', ['--extension-us', '0'], () => waker('greedy'));
