/** Hundreds of tasks come, sleep, change and go at random. Each one that wants a CPU gets one. */
import type { SimKernel } from '../kernel/sim.js';
import type { SimBehaviour } from '../kernel/sim-task.js';
import { type Check, ms, type Subject, verdict } from './check.js';
import { Random } from '../sim/random.js';
import { longestWait, MS, SECOND, simulate, waitsSinceNs, Watch, WEIGHTS_BY_NICE } from './simulate.js';

const CPUS = [0, 1, 2, 3];
const NR_SLOTS = 512;
const NR_TASKS = 140;
const NR_HOGS = 8;
const CHURN_NS = 3 * SECOND;
/** Then most tasks end, and the CPUs have time for all that are left. */
const CALM_NS = 3 * SECOND;
const NR_LEFT = 30;
/** What starved during the churn runs soon after it ... */
const WAIT_MAX_NS = CHURN_NS + SECOND;
/** ... and nobody is left waiting at the end. */
const LEFT_WAITING_MAX_NS = SECOND;

export const nothingLost: Check = {
  name: 'nothing lost',
  claim: 'every task that wakes runs, on one CPU at a time, and none waits for ever',
  run: (subject) => {
    const kernel = simulate(subject, CPUS.length, { nrSlots: NR_SLOTS, taskRingSize: 1024 });
    const watch = new Watch(kernel);
    const random = new Random(subject.seed);
    for (let index = 0; index < NR_TASKS; index++) kernel.spawn(someTask(random, index, kernel.nowNs));
    for (let atNs = MS; atNs < CHURN_NS; atNs += 5 * MS) kernel.at(atNs, () => churn(kernel, random));
    kernel.run(CHURN_NS);
    const living = kernel.tasks.filter((each) => !each.exited);
    for (const each of living.slice(NR_LEFT)) kernel.kill(each);
    kernel.run(CHURN_NS + CALM_NS);
    const { waitNs, task } = longestWait(kernel, kernel.tasks);
    const left = kernel.tasks.filter(
      (each) => waitsSinceNs(kernel, each) < kernel.nowNs - LEFT_WAITING_MAX_NS,
    );
    const runs = kernel.tasks.reduce((sum, each) => sum + each.runs, 0);
    const never = kernel.tasks.filter((each) => !each.exited && each.runs === 0).length;
    return verdict(
      waitNs <= WAIT_MAX_NS && left.length + never === 0 && watch.twice === 0 && watch.misplaced === 0,
      `${kernel.tasks.length} tasks ran ${runs} times, the longest wait was ${ms(waitNs)} (${task}, at most ` +
        `${ms(WAIT_MAX_NS)}), ${left.length} were left waiting, ${never} never ran, ${watch.twice} seen on two CPUs, ${watch.misplaced} where they may not be`,
    );
  },
};

/** As much as the CPUs can do, and some hogs beside it. */
function someTask(random: Random, index: number, nowNs: number): SimBehaviour {
  const [, weight] = random.pick(WEIGHTS_BY_NICE);
  const startNs = nowNs + random.between(0, 20 * MS);
  const name = `${index < NR_HOGS ? 'hog' : 'sleeper'}-${index}`;
  const common = { name, weight, startNs, ...(random.next() < 0.2 ? { allowedCpus: someCpus(random) } : {}) };
  if (index < NR_HOGS) return { ...common, runNs: Infinity };
  const runNs = random.between(0.1 * MS, 1.2 * MS);
  return { ...common, runNs, sleepNs: random.between(5 * MS, 35 * MS), vary: () => random.between(0.5, 1.5) };
}

function someCpus(random: Random): number[] {
  const allowed = CPUS.filter(() => random.next() < 0.5);
  return allowed.length === 0 ? [random.pick(CPUS)] : allowed;
}

function churn(kernel: SimKernel, random: Random): void {
  const living = kernel.tasks.filter((task) => !task.exited);
  kernel.setWeight(random.pick(living), random.pick(WEIGHTS_BY_NICE)[1]);
  kernel.setAffinity(random.pick(living), random.next() < 0.5 ? CPUS : someCpus(random));
  const victim = random.pick(living);
  kernel.kill(victim);
  const index = victim.name.startsWith('hog') ? 0 : NR_HOGS + kernel.tasks.length;
  kernel.spawn(someTask(random, index, kernel.nowNs));
}

/** A policy that loses nothing and also says nothing that the kernel side has to correct. */
export const wellFormed: Check = {
  name: 'decisions make sense',
  claim: 'slices, keys and CPUs are within bounds',
  run: (subject: Subject) => {
    const kernel = simulate(subject, CPUS.length, { nrSlots: NR_SLOTS });
    const random = new Random(subject.seed + 1);
    for (let index = 0; index < 40; index++) {
      kernel.spawn({ ...someTask(random, index, 0), allowedCpus: CPUS });
    }
    kernel.run(SECOND);
    const { decided, standing, bad_cpu, slice_clamped, key_clamped } = kernel.domains[0].counters();
    return verdict(
      decided > 0 && bad_cpu + slice_clamped + key_clamped === 0,
      `${decided} decided, ${standing} by standing orders; corrected: ${bad_cpu} CPUs, ${slice_clamped} slices, ` +
        `${key_clamped} keys`,
    );
  },
};
