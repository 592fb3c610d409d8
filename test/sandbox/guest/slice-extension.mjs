// Two tasks on one CPU that does not belong to a worker, one of them always in a critical section or not; then such tasks
// on all CPUs. Tells how long each ran and waited.
import { extend, runProgram, Scheduler, tell } from './scheduler.mjs';

const [holder] = process.argv.slice(2);
const LAST_CPU = '3';
const SECONDS = '2';

const start = {
  pair: (other) =>
    ['plain', other].map((kind) => runProgram(['taskset', '-c', LAST_CPU, holder, kind, SECONDS])),
  crowd: () => Array.from({ length: 8 }, () => runProgram([holder, 'greedy', SECONDS])),
};

async function under(name, args, ...loads) {
  const scheduler = new Scheduler(['--domains', 'one', ...args]);
  const tasks = [];
  if (await scheduler.attached()) {
    for (const load of loads) {
      const ended = await Promise.all(load());
      tasks.push(ended.map(({ stdout }) => JSON.parse(stdout)));
    }
  }
  await scheduler.stop('SIGTERM');
  tell(name, { ...scheduler.record(), tasks });
}

extend(10);
const { pair, crowd } = start;
await under(
  'switched on',
  ['--extension-us', '2000'],
  () => pair('plain'),
  () => pair('greedy'),
  crowd,
);
await under('switched off', ['--extension-us', '0'], () => pair('greedy'));
