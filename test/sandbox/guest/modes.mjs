// Every way of waiting, both policies, and the ways without standing orders and without the idle fast path.
import { hackbench, scheduleUnder } from './scheduler.mjs';

const run = (name, ...args) => scheduleUnder(name, { args, groups: [[hackbench]] });

await run('spin', '--domains', 'one', '--wait', 'spin');
await run('poll and fifo', '--domains', 'one', '--wait', 'poll', '--policy', 'fifo');
await run('ask always', '--domains', 'one', '--ask', 'always', '--no-fast-path');
