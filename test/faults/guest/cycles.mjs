// Loads, attaches, detaches and closes again and again in one process: `node cycles.mjs COUNT`. Prints what the process
// holds before, after a few cycles, and at the end.
import { readdirSync, readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { loadConfig } from '../../../dist/src/config/config.js';
import { planFor } from '../../../dist/src/config/plan.js';
import { native as loadNative } from '../../../dist/src/kernel/native.js';
import { hotplugSequence } from '../../../dist/src/supervisor/preflight.js';
import { SchedulerLink } from '../../../dist/src/supervisor/scheduler-link.js';
import { readTopology } from '../../../dist/src/topology/read.js';

const count = Number(process.argv[2]);
/** By then everything that is made once has been made. */
const SETTLED = Math.min(5, count - 1);

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc');
const nextTurn = () => new Promise((resolve) => setTimeout(resolve, 5));

async function held() {
  // Memory is unmapped when the last ArrayBuffer over it has been collected.
  for (let round = 0; round < 3; round++) {
    collectGarbage();
    await nextTurn();
  }
  const maps = readFileSync('/proc/self/maps', 'utf8').trimEnd().split('\n').length;
  const residentKiB = Number(/^VmRSS:\s*(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
  return { fds: readdirSync('/proc/self/fd').length, maps, residentKiB };
}

const native = loadNative();
const config = loadConfig({ options: {}, verbose: false });
const plan = planFor(readTopology(), config);
const record = { before: await held(), attached: 0 };
for (let cycle = 0; cycle < count; cycle++) {
  const link = SchedulerLink.open(native, plan, config, hotplugSequence());
  await link.load(plan, config);
  link.beat();
  link.attach();
  if (readFileSync('/sys/kernel/sched_ext/state', 'utf8').trim() === 'enabled') record.attached++;
  await nextTurn();
  link.detach();
  link.close();
  if (cycle === SETTLED) record.settled = await held();
}
record.after = await held();
console.log(JSON.stringify(record));
