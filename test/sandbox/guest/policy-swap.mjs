// Other policies for domains that are under load, by the command line: back and forth, a wrong one, one that is refused, one
// that fails on its tasks.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { nodeland, runProgram, schedExt, scheduleUnder } from './scheduler.mjs';

const hackbench = ['hackbench', '-g', '1', '-l', '20'];
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
    let left = nrSlots > 256 ? 50 : Infinity;
    return {
      enqueue(slot: Slot): void {
        state.asked[slot]++;
        if (wrong === 'task' && --left < 0) throw new Error('not these tasks');
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
const mineFile = '/tmp/mine.ts';
writeFileSync(mineFile, mine);
writeFileSync(
  '/tmp/n.yaml',
  'domains: node\nask: always\npolicy: vtime\ndomainPolicies: { 1: { policy: ./mine.ts, options: { wrong: "no" } } }\n',
);

const policy = (...args) => runProgram([...nodeland, 'policy', ...args]);

/** The same without a process, which takes seconds to start in an emulated machine. */
async function ask(request) {
  const socket = connect('/run/nodeland.sock');
  socket.write(`${JSON.stringify({ version: 1, ...request })}\n`);
  let text = '';
  for await (const chunk of socket) {
    text += chunk;
    if (text.endsWith('\n')) break;
  }
  return JSON.parse(text);
}
const list = async () => (await ask({ command: 'policy-list' })).domains;
const set = (domain, path, wrong) =>
  ask({
    command: 'policy-set',
    domain,
    policy: path,
    ...(wrong === undefined ? {} : { options: { wrong } }),
  });

await scheduleUnder('policy swap', {
  args: ['--config', '/tmp/n.yaml'],
  groups: [],
  during: async (scheduler) => {
    const hogs = spawn('stress-ng', ['--cpu', '3', '--cpu-method', 'loop', '--quiet']);
    const first = await list();
    const byCommand = await policy('set', 'node0', '/tmp/mine.ts', '--policy-option', 'wrong=no');
    const swaps = [];
    for (const args of [
      ['0', 'fifo'],
      ['node0', mineFile],
      ['node1', 'vtime'],
      ['all', mineFile, 'cpu'],
    ]) {
      swaps.push(await set(...args));
      await sleep(300);
    }
    const bench = [await runProgram(hackbench)];
    const refused = await set('0', mineFile, 'create');
    const unknown = await policy('set', '7', 'fifo');
    swaps.push(await set('all', 'vtime'));
    const failing = await set('1', mineFile, 'task');
    const isTold = await scheduler.until(
      () => scheduler.log('the worker of domain node1 failed') !== undefined,
      20_000,
    );
    const saved = await set('1', 'fifo');
    bench.push(await runProgram(hackbench));
    const last = await list();
    hogs.kill('SIGKILL');
    return {
      ...{ first, byCommand, swaps, bench, refused, unknown, failing, isTold, saved, last },
      stateStill: schedExt('state'),
      said: scheduler.logs.map(({ msg }) => msg),
    };
  },
});
