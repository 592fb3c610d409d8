// Inside a machine of 4 nodes, 2 CPUs each: loads that begin on one node or two, each under a run of its own. Tells how
// busy each node's CPUs were, where the tasks ran and how often tasks changed domain.
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { schedExt, Scheduler, tell } from './scheduler.mjs';

const NODES = 4;
const CPUS_PER_NODE = 2;
const everywhere = `0-${NODES * CPUS_PER_NODE - 1}`;

/** Starts a program so many times on these CPUs. */
function start(count, cpus, command) {
  return Array.from({ length: count }, () =>
    spawn('taskset', ['-c', cpus, ...command], { stdio: 'ignore' }),
  );
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

/**
 * One run: `begin` starts children, which get `settleS`; then it looks for `lookS`.
 */
async function scenario(name, args, begin, settleS, lookS) {
  const scheduler = new Scheduler(args);
  let more = {};
  if (await scheduler.attached()) {
    const children = await begin();
    await sleep(settleS * 1000);
    const [before, ranBefore] = [ticks(), children.map(look)];
    const seen = await watch(children, lookS);
    const [after, ranAfter] = [ticks(), children.map(look)];
    more = {
      busy: busyShares(before, after),
      nodes: seen,
      ranMs: ranAfter.map(({ cpuMs }, index) => cpuMs - ranBefore[index].cpuMs),
      seconds: settleS + lookS,
    };
    for (const child of children) child.kill('SIGKILL');
  }
  await scheduler.stop('SIGTERM');
  tell(name, { ...scheduler.record(), ...more, stateAfter: schedExt('state') });
}

const scenarios = {
  /** 16 tasks that begin on node 0, and two that stay there. */
  spread: (args) =>
    scenario(
      'spread',
      args,
      async () => {
        const [bound, free] = [start(2, '0-1', hog), start(14, '0-1', hog)];
        await sleep(500);
        widen(free, everywhere);
        return [...bound, ...free];
      },
      5,
      4,
    ),
  /** Only stealing: twice as many tasks as CPUs. */
  steal: (args) =>
    scenario(
      'steal',
      ['--no-balance', ...args],
      async () => {
        const children = start(16, '0-1', hog);
        await sleep(500);
        widen(children, everywhere);
        return children;
      },
      1,
      4,
    ),
  /** Two equal groups on two nodes, which may run on both. */
  equal: (args) =>
    scenario(
      'equal',
      args,
      async () => {
        const children = [...start(4, '0-1', hog), ...start(4, '2-3', hog)];
        await sleep(500);
        widen(children, '0-3');
        return children;
      },
      2,
      6,
    ),
};

for (const name of process.argv.slice(2)) {
  const [which, ...args] = name.split(' ');
  await scenarios[which](args);
}
