/** Runs the list of checks on a policy. */
import { policyError } from '../worker/run.js';
import { noAllocation } from './allocation.js';
import type { Check, CheckResult, Subject } from './check.js';
import { affinityRespected, cpusBusy } from './cpus.js';
import { fullRings, slotsUsedAgain, takesOver, weightsChange } from './hostile.js';
import { nothingLost, wellFormed } from './nothing-lost.js';
import { weightsRespected } from './weights.js';

/** CONFORMANCE is what every policy must do, on a simulated kernel. */
export const CONFORMANCE: readonly Check[] = [
  // First: what ran before in this process shapes the compiled code.
  noAllocation,
  nothingLost,
  weightsRespected,
  cpusBusy,
  affinityRespected,
  wellFormed,
  fullRings,
  slotsUsedAgain,
  weightsChange,
  takesOver,
];

/** Report is one check with its result and how long it took. */
export interface Report extends CheckResult {
  readonly name: string;
  readonly claim: string;
  readonly seconds: number;
}

/** runCheck runs one check; what the policy throws fails it, with the place. */
export function runCheck(check: Check, subject: Subject): Report {
  const startMs = performance.now();
  const { outcome, detail } = resultOf(check, subject);
  const { name, claim } = check;
  return { name, claim, outcome, detail, seconds: (performance.now() - startMs) / 1000 };
}

function resultOf(check: Check, subject: Subject): CheckResult {
  try {
    return check.run(subject);
  } catch (error) {
    const { message, at } = policyError(subject.policy.name, error);
    return { outcome: 'failed', detail: `it threw: ${message}${at === '' ? '' : ` (${at})`}` };
  }
}
