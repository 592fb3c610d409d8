// Schedules a machine with many CPUs, one domain for each node. Emulated, everything takes its time there.
import { extend, hackbench, scheduleUnder } from './scheduler.mjs';

extend(10);
await scheduleUnder('run', {
  args: ['--domains', 'node'],
  groups: [[['hackbench', '-g', '4', '-l', '50']], [hackbench]],
});
