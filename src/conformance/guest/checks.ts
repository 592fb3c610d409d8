/** The checks with real tasks. Each begins and ends with none of them running. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type CheckResult, notApplicable, percent, type Subject, verdict } from '../check.js';
import { WEIGHTS_BY_NICE } from '../simulate.js';
import { judgeShares } from '../weights.js';
import { cpuTicks, Hog, outputOf, ran } from './tasks.js';

export interface GuestCheck {
  readonly name: string;
  readonly claim: string;
  run(mode: Subject['policy']['weights'], nrCpus: number): Promise<CheckResult>;
}

const WARM_UP_MS = 2000;
const MEASURED_MS = 10_000;
const IDLE_MAX = 0.02;

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);

async function withHogs<T>(starts: Promise<Hog>[], work: (hogs: Hog[]) => Promise<T>): Promise<T> {
  const hogs = await Promise.all(starts);
  try {
    return await work(hogs);
  } finally {
    for (const hog of hogs) hog.stop();
  }
}

const weightsAndBusy: GuestCheck = {
  name: 'weights',
  claim:
    'hogs of nice -5, 0, 5 and 10 get CPU time by their weights, within 5 % over 10 s, and leave no CPU idle',
  run: (mode, nrCpus) => {
    const starts = WEIGHTS_BY_NICE.flatMap(([nice]) => Array.from({ length: nrCpus }, () => Hog.start(nice)));
    return withHogs(starts, async (hogs) => {
      await sleep(WARM_UP_MS);
      const ticks = cpuTicks();
      const before = hogs.map((hog) => hog.times().cpuNs);
      await sleep(MEASURED_MS);
      const got = hogs.map((hog, index) => ({ hog, cpuNs: hog.times().cpuNs - before[index] }));
      const after = cpuTicks();
      const idle = (after.idle - ticks.idle) / (after.total - ticks.total);
      const shares = WEIGHTS_BY_NICE.map(([nice, weight]) => ({
        nice,
        weight,
        cpuNs: sum(got.filter(({ hog }) => hog.nice === nice).map(({ cpuNs }) => cpuNs)),
      }));
      const result = judgeShares(mode, shares);
      const detail = `${result.detail}; ${percent(idle)} of the CPU time idle (at most ${percent(IDLE_MAX)})`;
      if (idle > IDLE_MAX) return verdict(false, detail);
      return { ...result, detail };
    });
  },
};

const affinity: GuestCheck = {
  name: 'affinity',
  claim: 'tasks run only where they may, beside others that may run anywhere',
  run: (_mode, nrCpus) => {
    const last = nrCpus - 1;
    const confined = [Hog.start(0, '0'), Hog.start(0, String(last)), Hog.start(0, `0-${last}`)];
    return withHogs([...confined, Hog.start(0), Hog.start(0)], async (hogs) => {
      // taskset becomes the shell within this time.
      await sleep(500);
      const before = hogs.map((hog) => hog.times().cpuNs);
      let misplaced = 0;
      for (let look = 0; look < 20; look++) {
        await sleep(50);
        if (hogs[0].cpu() !== 0 || hogs[1].cpu() !== last) misplaced++;
      }
      const gotMs = hogs.map((hog, index) => (hog.times().cpuNs - before[index]) / 1e6);
      const least = Math.min(...gotMs);
      return verdict(
        misplaced === 0 && least > 0,
        `${misplaced} of 20 looks found one elsewhere; within a second of ${nrCpus} CPUs each of 5 hogs ran for ` +
          `${least.toFixed(0)} to ${Math.max(...gotMs).toFixed(0)} ms`,
      );
    });
  },
};

const NR_SHORT = 60;
const SHORT_LIMIT_MS = 10_000;

const nothingLost: GuestCheck = {
  name: 'nothing lost',
  claim: 'short-lived processes of all nice values, beside hogs, all end',
  run: (_mode, nrCpus) =>
    withHogs(
      Array.from({ length: nrCpus }, () => Hog.start(0)),
      async () => {
        let done = 0;
        const lanes = WEIGHTS_BY_NICE.map(async ([nice]) => {
          for (let index = 0; index < NR_SHORT / WEIGHTS_BY_NICE.length; index++) {
            const script = index % 2 === 0 ? 'i=0; while [ $i -lt 50 ]; do i=$((i+1)); done' : 'sleep 0.02';
            if (await ran(script, nice, SHORT_LIMIT_MS)) done++;
            else return;
          }
        });
        await Promise.all(lanes);
        return verdict(
          done === NR_SHORT,
          `${done} of ${NR_SHORT} processes ended, each within ${SHORT_LIMIT_MS / 1000} s`,
        );
      },
    ),
};

/** What every policy must do. */
export const GUEST_CONFORMANCE: readonly GuestCheck[] = [weightsAndBusy, affinity, nothingLost];

const fairness: GuestCheck = {
  name: 'fairness',
  claim: 'of equal hogs the 10th percentile has run for at least 0.6 of the mean',
  run: (_mode, nrCpus) =>
    withHogs(
      Array.from({ length: 4 * nrCpus + 1 }, () => Hog.start(0)),
      async (hogs) => {
        await sleep(500);
        const before = hogs.map((hog) => hog.times().cpuNs);
        await sleep(4000);
        const got = hogs.map((hog, index) => hog.times().cpuNs - before[index]).sort((a, b) => a - b);
        const share = got[Math.floor(got.length / 10)] / (sum(got) / got.length);
        return verdict(share >= 0.6, `${share.toFixed(2)} of the mean (${hogs.length} hogs, 4 s)`);
      },
    ),
};

const SPREAD_MIN = 0.95;

const spreadOut: GuestCheck = {
  name: 'spread out',
  claim: 'as many hogs as CPUs use 0.95 of the CPUs',
  run: (_mode, nrCpus) =>
    withHogs(
      Array.from({ length: nrCpus }, () => Hog.start(0)),
      async () => {
        await sleep(500);
        const ticks = cpuTicks();
        await sleep(2000);
        const after = cpuTicks();
        const used = 1 - (after.idle - ticks.idle) / (after.total - ticks.total);
        return verdict(used >= SPREAD_MIN, `${percent(used)} of the CPU time used within 2.5 s`);
      },
    ),
};

const adaptive: GuestCheck = {
  name: 'adaptive priority',
  claim:
    "the 90th percentile of short sleepers' wake-up latency is under half of what hogs wait for their turns",
  run: (_mode, nrCpus) =>
    withHogs(
      Array.from({ length: 3 * nrCpus }, () => Hog.start(0)),
      async (hogs) => {
        await sleep(500);
        const before = hogs.map((hog) => hog.times());
        // One thread with the ordinary scheduling class that sleeps for 5 ms; a histogram by microseconds.
        const command = 'cyclictest -q --policy other -t 1 -i 5000 -D 2 -h 400000'.split(' ');
        const text = await outputOf(command);
        if (text === undefined) return notApplicable('cyclictest (rt-tests) is not here');
        const times = hogs.map((hog, index) => {
          const { waitNs, turns } = hog.times();
          return { waitNs: waitNs - before[index].waitNs, turns: turns - before[index].turns };
        });
        const turns = sum(times.map((time) => time.turns));
        const hogUs = sum(times.map(({ waitNs }) => waitNs)) / Math.max(1, turns) / 1000;
        const sleeperUs = percentileOf(text, 0.9);
        return verdict(
          sleeperUs < hogUs / 2,
          `sleepers' p90 ${sleeperUs} us; hogs wait ${hogUs.toFixed(0)} us a turn on average`,
        );
      },
    ),
};

/** Of cyclictest's histogram: lines of microseconds and counts. */
function percentileOf(histogram: string, part: number): number {
  const rows = [...histogram.matchAll(/^(\d+)\s+(\d+)$/gm)].map(([, us, count]) => ({
    us: Number(us),
    count: Number(count),
  }));
  const total = sum(rows.map(({ count }) => count));
  let seen = 0;
  for (const { us, count } of rows) {
    seen += count;
    if (seen >= part * total && total > 0) return us;
  }
  return Infinity;
}

/**
 * What the scheduler test suite schtest looks at beside. Not every policy wants them: reported for those that ask. Its fourth,
 * "come together" (a process's threads on one last-level cache), needs several caches: test/policies/come-together.test.ts.
 */
export const GUEST_PROPERTIES: readonly GuestCheck[] = [fairness, adaptive, spreadOut];
