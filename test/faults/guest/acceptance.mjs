// The acceptance line of the scx project: `node acceptance.mjs SECONDS`.
import { cpus } from 'node:os';
import { runProgram } from '../../sandbox/guest/scheduler.mjs';
import { faultsUnder, tellKernelLog } from './faults.mjs';

const seconds = Number(process.argv[2]);
const count = String(cpus().length);
const line = `--aggressive -M -c ${count} -f ${count} --affinity 1 --affinity-delay 1 --affinity-pin`.split(
  ' ',
);

await faultsUnder('acceptance', {
  args: ['--domains', 'node'],
  load: [],
  inject: (experiment) =>
    experiment.window('acceptance line', async () => ({
      program: await runProgram(['stress-ng', ...line, '-t', String(seconds)], seconds * 4000),
    })),
});
tellKernelLog();
