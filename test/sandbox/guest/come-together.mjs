// Two threads that wake each other, on a machine of several last-level caches: where are they? `node come-together.mjs POLICY...`
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { guestFile, hackbench, scheduleUnder, threadsOf } from './scheduler.mjs';

const SECONDS = 6;
const LOOK_MS = 20;

/** The CPUs of the two busiest threads at each look. */
async function watch() {
  const child = spawn(process.execPath, [guestFile('ping-pong.mjs'), String(SECONDS)]);
  const ended = new Promise((resolve) => child.on('close', resolve));
  const looks = [];
  // The threads have to begin first.
  await sleep(2000);
  for (const end = performance.now() + (SECONDS - 3) * 1000; performance.now() < end; await sleep(LOOK_MS)) {
    looks.push(threadsOf(child.pid));
  }
  const busiest = looks
    .at(-1)
    .sort((a, b) => b.ticks - a.ticks)
    .slice(0, 2);
  const exitCode = await ended;
  const pairs = looks.map((threads) =>
    threads.filter(({ tid }) => busiest.some((thread) => thread.tid === tid)).map(({ cpu }) => cpu),
  );
  return { pingPong: { exitCode, pairs, ticks: busiest.map(({ ticks }) => ticks) } };
}

for (const policy of process.argv.slice(2)) {
  await scheduleUnder(policy, {
    args: ['--domains', 'llc', '--policy', policy],
    groups: [[hackbench]],
    during: watch,
  });
}
