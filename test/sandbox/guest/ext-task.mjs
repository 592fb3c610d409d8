// A task that asks for the SCHED_EXT class itself, wakes up a number of times and says so: `node ext-task.mjs WAKES`.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const native = createRequire(import.meta.url)('node-gyp-build')(root);
const wakes = Number(process.argv[2]);

native.schedExtSelf(true);
const tasks = `/proc/self/task/${native.threadId()}`;
const isExt = /^ext\.enabled\s*:\s*1/m.test(readFileSync(`${tasks}/sched`, 'utf8'));
// proc(5), field 41 of stat: the policy; 7 is SCHED_EXT.
const stat = readFileSync(`${tasks}/stat`, 'utf8');
const policy = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[38]);
for (let wake = 0; wake < wakes; wake++) await sleep(2);
console.log(JSON.stringify({ isExt, policy, wakes }));
