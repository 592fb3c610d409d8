// Two tasks on one CPU that does not belong to a worker, one of them always in a critical section or not; then such tasks
// on all CPUs. Tells how long each ran and waited.
import { extend, runProgram, Scheduler, tell } from './scheduler.mjs';

const [holder] = process.argv.slice(2);
const LAST_CPU = '3';
const SECONDS = '3';

const onLast = (kind) => runProgram(['taskset', '-c', LAST_CPU, holder, kind, SECONDS]);
const anywhere = (kind) => runProgram([holder, kind, SECONDS]);

async function under(name, args, start) {
  const scheduler = new Scheduler(['--domains', 'one', ...args]);
  let tasks = [];
  if (await scheduler.attached()) tasks = await Promise.all(start());
  await scheduler.stop('SIGTERM');
  tell(name, { ...scheduler.record(), tasks: tasks.map(({ stdout }) => JSON.parse(stdout)) });
}

extend(5);
const pair = (other) => () => [onLast('plain'), onLast(other)];
await under('nobody asks', ['--extension-us', '2000'], pair('plain'));
await under('one asks', ['--extension-us', '2000'], pair('greedy'));
await under('switched off', ['--extension-us', '0'], pair('greedy'));
await under('all ask', ['--extension-us', '10000'], () =>
  Array.from({ length: 8 }, () => anywhere('greedy')),
);
