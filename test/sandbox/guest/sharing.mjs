// Inside a machine of 4 nodes: loads that begin on one node or two. Tells how busy the CPUs were, where the
// tasks ran, and how often tasks changed domain.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { extend, schedExt, Scheduler, tell } from './scheduler.mjs';

const NODES = 4;
const CPUS_PER_NODE = cpus().length / NODES;
/** The CPUs of some nodes, as taskset(1) wants them. */
const onNodes = (first, last) => `${first * CPUS_PER_NODE}-${(last + 1) * CPUS_PER_NODE - 1}`;
const everywhere = onNodes(0, NODES - 1);

/** Starts a program so many times on these CPUs. */
function start(count, cpus, command) {
  return Array.from({ length: count }, () => spawn('taskset', ['-c', cpus, ...command], { stdio: 'ignore' }));
}
const hog = ['sh', '-c', 'while :; do :; done'];

/** Lets all of them run on these CPUs from now on. */
function widen(children, cpus) {
  const script = `for p in "$@"; do taskset -p -c ${cpus} $p > /dev/null; done`;
  execFileSync('sh', ['-c', script, 'sh', ...children.map(({ pid }) => pid)]);
}

/** Busy and all ticks of each CPU so far. */
function ticks() {
  const lines = readFileSync('/proc/stat', 'utf8').matchAll(/^cpu\d+ (.*)$/gm);
  return [...lines].map(([, numbers]) => {
    const all = numbers.split(' ').map(Number);
    const total = all.reduce((sum, n) => sum + n, 0);
    // idle and iowait
    return { busy: total - all[3] - all[4], total };
  });
}

/** The share of time each CPU was busy between two looks. */
const busyShares = (before, after) =>
  after.map(({ busy, total }, cpu) => (busy - before[cpu].busy) / Math.max(total - before[cpu].total, 1));

/** CPU milliseconds used, and the CPU it ran on last: proc(5), fields 14, 15 and 39 of stat. */
function look({ pid }) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { cpuMs: (Number(fields[11]) + Number(fields[12])) * 10, cpu: Number(fields[36]) };
}

/** Looks at where each child is every 100 ms. */
async function watch(children, seconds) {
  const counts = children.map(() => Array.from({ length: NODES }, () => 0));
  for (let i = 0; i < seconds * 10; i++) {
    await sleep(100);
    children.forEach((child, index) => counts[index][Math.floor(look(child).cpu / CPUS_PER_NODE)]++);
  }
  return counts;
}

/** How often user tasks have changed domain so far, by the table that --stats prints each second. */
const movesSoFar = ({ stdout }) =>
  Number([...stdout.matchAll(/(\d+) moves between domains/g)].at(-1)?.[1] ?? 0);

/** Starts children, lets them settle, looks at them for a while, and ends them. */
async function scenario(begin, settleS, lookS) {
  const children = await begin();
  process.stderr.write(`${begin.name} at ${performance.now() | 0} ms\n`);
  await sleep(settleS * 1000);
  const [before, ranBefore, movesBefore] = [ticks(), children.map(look), movesSoFar(scheduler)];
  const startMs = performance.now();
  const seen = await watch(children, lookS);
  const [after, ranAfter, movesAfter] = [ticks(), children.map(look), movesSoFar(scheduler)];
  const lookedS = (performance.now() - startMs) / 1000;
  const ended = Promise.all(children.map((child) => once(child, 'exit')));
  for (const child of children) child.kill('SIGKILL');
  await ended;
  return {
    busy: busyShares(before, after),
    nodes: seen,
    ranMs: ranAfter.map(({ cpuMs }, index) => cpuMs - ranBefore[index].cpuMs),
    moves: movesAfter - movesBefore,
    // Longer than it should be where the machine is slow.
    lookedS,
  };
}

/** Two equal groups on two nodes; each task may run on both. */
async function equal() {
  const children = [
    ...start(2 * CPUS_PER_NODE, onNodes(0, 0), hog),
    ...start(2 * CPUS_PER_NODE, onNodes(1, 1), hog),
  ];
  await sleep(500);
  widen(children, onNodes(0, 1));
  return children;
}

/** Twice as many tasks as CPUs, all of them on node 0 until now. */
async function crowd() {
  const children = start(2 * NODES * CPUS_PER_NODE, onNodes(0, 0), hog);
  await sleep(500);
  widen(children, everywhere);
  return children;
}

/** As many that begin on node 0; the first two stay there. */
async function spread() {
  const [bound, free] = [
    start(2, onNodes(0, 0), hog),
    start(2 * NODES * CPUS_PER_NODE - 2, onNodes(0, 0), hog),
  ];
  await sleep(500);
  widen(free, everywhere);
  return [...bound, ...free];
}

extend(5);
const scheduler = new Scheduler(['--stats', '1', ...process.argv.slice(2)]);
let more = {};
if (await scheduler.attached()) {
  // The looks themselves are work; they must not move, or their moves were counted.
  execFileSync('taskset', ['-a', '-p', '-c', onNodes(NODES - 1, NODES - 1), process.pid]);
  more = {
    stateDuring: schedExt('state'),
    equal: await scenario(equal, 2, 6),
    // Less than a beat after they were let go.
    steal: await scenario(crowd, 0.2, 0.8),
    spread: await scenario(spread, 5, 4),
  };
}
await scheduler.stop('SIGTERM');
tell('sharing', { ...scheduler.record(), ...more, stateAfter: schedExt('state') });
