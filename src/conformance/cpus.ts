/** CPUs are used, and only those that a task may use. */
import { type Check, ms, percent, verdict } from './check.js';
import { Random } from '../sim/random.js';
import { longestWait, MS, SECOND, simulate, Watch } from './simulate.js';

const NR_CPUS = 4;
const RUN_NS = 2 * SECOND;
const IDLE_SHARE_MAX = 0.001;
const CONFINED_WAIT_MAX_NS = SECOND;

export const cpusBusy: Check = {
  name: 'CPUs busy',
  claim: 'no CPU idles while a task waits that may use it',
  run: (subject) => {
    const kernel = simulate(subject, NR_CPUS);
    const watch = new Watch(kernel);
    const random = new Random(subject.seed + 2);
    for (let index = 0; index < 3; index++) kernel.spawn({ runNs: Infinity });
    // Now and then more than the fourth CPU can take.
    for (let index = 0; index < 20; index++) {
      const sleepNs = random.between(5 * MS, 40 * MS);
      kernel.spawn({ runNs: MS, sleepNs, vary: () => random.between(0.2, 1.8) });
    }
    kernel.run(RUN_NS);
    const share = watch.idleNs / watch.totalNs;
    return verdict(
      share <= IDLE_SHARE_MAX,
      `${percent(share)} of the CPU time was idle beside a waiting task (at most ${percent(IDLE_SHARE_MAX)})`,
    );
  },
};

const MASKS = [[0], [0, 1], [1, 2, 3], [3], [0, 1, 2, 3], [2]];

export const affinityRespected: Check = {
  name: 'affinity',
  claim: 'tasks run only where they may, and those with little choice are not forgotten',
  run: (subject) => {
    const kernel = simulate(subject, NR_CPUS);
    const watch = new Watch(kernel);
    const tasks = MASKS.flatMap((allowedCpus) => {
      const name = `on ${allowedCpus.join(',')}`;
      return [
        kernel.spawn({ name, allowedCpus, runNs: Infinity }),
        kernel.spawn({ name, allowedCpus, runNs: MS, sleepNs: 7 * MS }),
      ];
    });
    kernel.run(RUN_NS);
    const { waitNs, task } = longestWait(kernel, tasks);
    const { affinity } = kernel.domains[0].counters();
    return verdict(
      watch.misplaced === 0 && waitNs <= CONFINED_WAIT_MAX_NS,
      `${watch.misplaced} seen where they may not be, the longest wait was ${ms(waitNs)} (${task}, at most ` +
        `${ms(CONFINED_WAIT_MAX_NS)}); ${affinity} decisions named a CPU that the task may not use`,
    );
  },
};
