// Other policies for domains that are under load, by the command line: back and forth, a wrong one, one that is refused, one
// that fails on its tasks.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { hackbench, nodeland, runProgram, schedExt, scheduleUnder } from './scheduler.mjs';

const mine = `import { CPU_ANY, definePolicy, type Slot, SlotFifo, z } from 'nodeland';

const options = z.strictObject({ wrong: z.enum(['no', 'cpu', 'create', 'task']).default('no') });

export default definePolicy({
  name: 'mine',
  summary: 'first come, first served, and wrong in the way it is told to be',
  options,
  state: { asked: 'u32' },
  standing: 'none',
  create({ nrSlots, decisions, clock, state, options: { wrong } }) {
    if (wrong === 'create') throw new Error('never made');
    const held = new SlotFifo(nrSlots);
    const isReal = nrSlots > 256;
    return {
      enqueue(slot: Slot): void {
        state.asked[slot]++;
        if (wrong === 'task' && isReal) throw new Error('not these tasks');
        held.push(slot);
      },
      dispatch(room: number): void {
        for (; room > 0 && held.size > 0; room--) {
          const slot = held.shift();
          decisions.keyNs[slot] = wrong === 'cpu' ? NaN : clock.clockNs();
          decisions.publish(slot, wrong === 'cpu' ? NaN : 0, wrong === 'cpu' ? 999 : CPU_ANY, 0);
        }
      },
    };
  },
});
`;
writeFileSync('/tmp/mine.ts', mine);
writeFileSync(
  '/tmp/n.yaml',
  'domains: node\nask: always\npolicy: vtime\ndomainPolicies: { 1: { policy: ./mine.ts, options: { wrong: "no" } } }\n',
);

const policy = (...args) => runProgram([...nodeland, 'policy', ...args]);
const list = async () => JSON.parse((await policy('list', '--json')).stdout).domains;

await scheduleUnder('policy swap', {
  args: ['--config', '/tmp/n.yaml'],
  groups: [],
  during: async (scheduler) => {
    const hogs = spawn('stress-ng', ['--cpu', '6', '--cpu-method', 'loop', '--quiet']);
    const first = await list();
    const swaps = [];
    for (const [domain, ...args] of [
      ['0', 'fifo'],
      ['node0', '/tmp/mine.ts'],
      ['node1', 'vtime'],
      ['all', '/tmp/mine.ts', '--policy-option', 'wrong=cpu'],
    ]) {
      swaps.push(await policy('set', domain, ...args));
      await sleep(500);
    }
    const bench = [await runProgram(hackbench)];
    const refused = await policy('set', '0', '/tmp/mine.ts', '--policy-option', 'wrong=create');
    const unknown = await policy('set', '7', 'fifo');
    swaps.push(await policy('set', 'all', 'vtime'));
    const failing = await policy('set', '1', '/tmp/mine.ts', '--policy-option', 'wrong=task');
    const isTold = await scheduler.until(
      () => scheduler.log('the worker of domain node1 failed') !== undefined,
      20_000,
    );
    const saved = await policy('set', '1', 'fifo');
    bench.push(await runProgram(hackbench));
    const last = await list();
    hogs.kill('SIGKILL');
    return {
      ...{ first, swaps, bench, refused, unknown, failing, isTold, saved, last },
      stateStill: schedExt('state'),
      said: scheduler.logs.map(({ msg }) => msg),
    };
  },
});
