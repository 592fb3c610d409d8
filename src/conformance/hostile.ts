/** Situations that do not happen on a quiet machine. */
import { SimKernel } from '../kernel/sim.js';
import { parseOptions } from '../policy/options.js';
import { definePolicy } from '../policy/policy.js';
import { DomainLoop } from '../worker/domain-loop.js';
import { type Check, ms, notApplicable, percent, verdict } from './check.js';
import { Random } from '../sim/random.js';
import { longestWait, loopOf, MS, SECOND, simulate, SLICE_US, WEIGHTS_BY_NICE } from './simulate.js';
import { WEIGHT_TOLERANCE } from './weights.js';

const WAIT_MAX_NS = 3 * SECOND;

export const fullRings: Check = {
  name: 'full rings',
  claim: 'with a late worker, and room for 32 asks and 8 decisions, every task still runs',
  run: (subject) => {
    const kernel = new SimKernel({
      domains: [[0, 1]],
      sliceUs: SLICE_US,
      taskRingSize: 32,
      decisionRingSize: 8,
    });
    const loop = loopOf(kernel, subject);
    let dueNs = 0;
    let goesOn = false;
    // A worker that is late: it comes round once in 2 ms.
    kernel.attach(0, () => {
      if (!goesOn && kernel.nowNs < dueNs) return 0;
      dueNs = kernel.nowNs + 2 * MS;
      const published = loop.batch();
      goesOn = published > 0;
      return published;
    });
    const random = new Random(subject.seed + 3);
    for (let index = 0; index < 100; index++) {
      kernel.spawn({ runNs: 0.5 * MS, sleepNs: 30 * MS, vary: () => random.between(0.9, 1.1) });
    }
    for (let burst = 1; burst < 20; burst++) {
      for (let index = 0; index < 60; index++) {
        kernel.at(burst * 100 * MS, () => void kernel.spawn({ runNs: 0.2 * MS }));
      }
    }
    kernel.run(3 * SECOND);
    const { waitNs } = longestWait(kernel, kernel.tasks);
    const { ring_full: full } = kernel.domains[0].counters();
    const never = kernel.tasks.filter(({ runs }) => runs === 0).length;
    return verdict(
      full > 0 && never === 0 && waitNs <= WAIT_MAX_NS,
      `the task ring was full ${full} times, ${never} tasks never ran, the longest wait was ${ms(waitNs)}`,
    );
  },
};

export const slotsUsedAgain: Check = {
  name: 'slots used again',
  claim: 'short-lived tasks, some killed while they wait, leave nothing behind in their slots',
  run: (subject) => {
    const kernel = simulate(subject, 2, { nrSlots: 32 });
    const random = new Random(subject.seed + 4);
    for (let atNs = MS; atNs < SECOND; atNs += MS) {
      kernel.at(atNs, () => {
        const living = kernel.tasks.filter((task) => !task.exited);
        if (living.length > 20) kernel.kill(random.pick(living));
        for (let index = 0; index < 3 && living.length + index < 28; index++) {
          kernel.spawn({ runNs: random.between(0.2 * MS, 1.5 * MS) });
        }
      });
    }
    kernel.run(2 * SECOND);
    const left = kernel.tasks.filter((task) => !task.exited).length;
    const { waitNs } = longestWait(kernel, kernel.tasks);
    return verdict(
      left === 0 && waitNs <= WAIT_MAX_NS,
      `${kernel.tasks.length} tasks in 32 slots, ${left} never finished, the longest wait was ${ms(waitNs)}`,
    );
  },
};

export const weightsChange: Check = {
  name: 'weight changes',
  claim: 'weights that change while tasks wait are taken up',
  run: (subject) => {
    const kernel = simulate(subject, 1);
    const random = new Random(subject.seed + 5);
    const tasks = Array.from({ length: 6 }, () => kernel.spawn({ runNs: Infinity }));
    for (let atNs = MS; atNs < SECOND; atNs += 3 * MS) {
      kernel.at(atNs, () => kernel.setWeight(random.pick(tasks), random.pick(WEIGHTS_BY_NICE)[1]));
    }
    kernel.at(SECOND, () => {
      for (const task of tasks) kernel.setWeight(task, 100);
    });
    // What was owed by then is paid within this time.
    kernel.run(20 * SECOND);
    const beforeNs = tasks.map(({ cpuNs }) => cpuNs);
    kernel.run(30 * SECOND);
    const shares = tasks.map(({ cpuNs }, index) => (cpuNs - beforeNs[index]) / (10 * SECOND));
    const [least, most] = [Math.min(...shares), Math.max(...shares)];
    const detail = `six tasks of equal weight in the end: ${percent(least)} to ${percent(most)} of a CPU`;
    if (subject.policy.weights !== 'proportional') {
      return least > 0 ? notApplicable(detail) : verdict(false, detail);
    }
    const off = Math.max(most * 6 - 1, 1 - least * 6);
    return verdict(off <= WEIGHT_TOLERANCE, detail);
  },
};

/** Takes tasks, and decides none. */
const hoarder = definePolicy({
  name: 'hoarder',
  summary: 'takes tasks, and decides none',
  create: () => ({ enqueue: () => undefined, dispatch: () => undefined }),
});

export const takesOver: Check = {
  name: 'takes over',
  claim: 'tasks that another policy held when it was replaced run',
  run: ({ policy, options }) => {
    const kernel = new SimKernel({ domains: [[0, 1]], sliceUs: SLICE_US });
    const loop = new DomainLoop(kernel.arena, { domain: 0, policy: hoarder, ask: 'auto', sliceUs: SLICE_US });
    kernel.attach(0, () => loop.batch());
    const tasks = Array.from({ length: 50 }, () => kernel.spawn({ runNs: 2 * MS, startNs: MS }));
    kernel.at(10 * MS, () => {
      loop.replace({ policy, options: parseOptions(policy, options) });
      kernel.attach(0, () => loop.batch());
    });
    kernel.run(SECOND);
    const done = tasks.filter(({ exited }) => exited).length;
    return verdict(done === tasks.length, `${done} of ${tasks.length} tasks ran to their end`);
  },
};
