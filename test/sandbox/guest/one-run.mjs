// Schedules this machine once: `node one-run.mjs [OPTIONS of nodeland run]`.
import { cyclictest, hackbench, scheduleUnder, stressNg } from './scheduler.mjs';

await scheduleUnder('run', { args: process.argv.slice(2), groups: [[hackbench], [stressNg, cyclictest]] });
