// What may go otherwise than well: no privilege, other tasks than SCHED_EXT ones left alone, a policy that throws, an end
// from outside, a BPF object with another memory layout (`node endings.mjs DOCTORED_OBJECT`). `doctor` too, which has to
// find nothing wrong here.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  guestFile,
  hackbench,
  isExt,
  nodeland,
  runProgram,
  schedExt,
  scheduleUnder,
  tell,
} from './scheduler.mjs';

const objectPath = fileURLToPath(new URL('../../../build/bpf/nodeland.bpf.o', import.meta.url));
const doctoredPath = process.argv[2];
const EXT_WAKES = 200;
// Nobody, who may read this checkout wherever it lies and nothing else.
const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups', '--inh-caps=-all,+dac_read_search'];
const asNobody = ['setpriv', ...nobody, '--ambient-caps=-all,+dac_read_search'];

tell('doctor', await runProgram([...nodeland, 'doctor']));
tell('unprivileged', await runProgram([...asNobody, ...nodeland, 'run', '--duration', '1']));

await runProgram(['mount', '--bind', doctoredPath, objectPath]);
tell('doctored object', {
  ...(await runProgram([...nodeland, 'run', '--duration', '1'])),
  stateAfter: schedExt('state'),
});
await runProgram(['umount', objectPath]);

await scheduleUnder('partial', {
  args: ['--domains', 'one', '--partial'],
  groups: [[hackbench]],
  during: async () => {
    const ext = await runProgram([process.execPath, guestFile('ext-task.mjs'), String(EXT_WAKES)]);
    return {
      ext: JSON.parse(ext.stdout || 'null'),
      extStderr: ext.stderr,
      ordinaryIsExt: isExt(process.pid),
    };
  },
});

await scheduleUnder('throwing policy', {
  args: ['--domains', 'one', '--policy', guestFile('throwing-policy.mjs')],
  groups: [[hackbench]],
  during: async (scheduler) => ({
    isTold: await scheduler.until(
      () => scheduler.log('the worker of domain all failed') !== undefined,
      20_000,
    ),
    isAlive: scheduler.exitCode === undefined,
    ordinaryIsExt: isExt(process.pid),
    afterwards: await runProgram(hackbench),
  }),
});

await scheduleUnder('ended from outside', {
  args: ['--domains', 'one'],
  groups: [],
  signal: null,
  during: async () => {
    writeFileSync('/proc/sysrq-trigger', 'S');
    return {};
  },
});
