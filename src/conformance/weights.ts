/** CPU time by weight: hogs of nice -5, 0, 5 and 10. */
import { type Check, type CheckResult, notApplicable, percent, type Subject, verdict } from './check.js';
import { SECOND, simulate, WEIGHTS_BY_NICE } from './simulate.js';

/** One hog of each weight for each CPU, so that none could use more than one. */
const NR_CPUS = 2;
const WARM_UP_NS = 2 * SECOND;
const MEASURED_NS = 10 * SECOND;
export const WEIGHT_TOLERANCE = 0.05;

/** One nice value's share of the CPU time its group of hogs got, beside what its weight promises. */
export interface Share {
  readonly nice: number;
  readonly weight: number;
  readonly cpuNs: number;
}

/** judgeShares holds CPU times by nice value, the least nice first, to what the policy makes of weights. */
export function judgeShares(mode: Subject['policy']['weights'], shares: readonly Share[]): CheckResult {
  const totalNs = shares.reduce((sum, { cpuNs }) => sum + cpuNs, 0);
  const totalWeight = shares.reduce((sum, { weight }) => sum + weight, 0);
  const got = shares.map(({ nice, cpuNs }) => `nice ${nice} ${percent(cpuNs / totalNs)}`).join(', ');
  switch (mode) {
    case 'ignored':
      return notApplicable(`the policy declares that it ignores weights (${got})`);
    case 'ordered': {
      const isOrdered = shares.every(
        ({ cpuNs }, index) => index === 0 || cpuNs <= shares[index - 1].cpuNs * 1.05,
      );
      return verdict(isOrdered, `more for the heavier, as the policy declares: ${got}`);
    }
    case 'proportional': {
      const off = shares.map(({ weight, cpuNs }) => cpuNs / totalNs / (weight / totalWeight) - 1);
      const worst = off.reduce((most, each) => (Math.abs(each) > Math.abs(most) ? each : most));
      const holds = Math.abs(worst) <= WEIGHT_TOLERANCE;
      return verdict(holds, `${got}; furthest from its weight: ${percent(worst)} (at most 5 %)`);
    }
  }
}

export const weightsRespected: Check = {
  name: 'weights',
  claim: 'hogs of nice -5, 0, 5 and 10 get CPU time by their weights, within 5 % over 10 s',
  run: (subject) => {
    const kernel = simulate(subject, NR_CPUS);
    const groups = WEIGHTS_BY_NICE.map(([nice, weight]) => ({
      nice,
      weight,
      tasks: Array.from({ length: NR_CPUS }, () =>
        kernel.spawn({ runNs: Infinity, weight, name: `nice${nice}` }),
      ),
    }));
    const cpuNsOf = (tasks: (typeof groups)[number]['tasks']): number =>
      tasks.reduce((sum, { cpuNs }) => sum + cpuNs, 0);
    kernel.run(WARM_UP_NS);
    const beforeNs = groups.map(({ tasks }) => cpuNsOf(tasks));
    kernel.run(WARM_UP_NS + MEASURED_NS);
    return judgeShares(
      subject.policy.weights,
      groups.map(({ nice, weight, tasks }, index) => ({
        nice,
        weight,
        cpuNs: cpuNsOf(tasks) - beforeNs[index],
      })),
    );
  },
};
