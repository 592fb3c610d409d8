/** What a check of a policy is. */
import type { PolicyDefinition } from '../policy/policy.js';

/** Subject is the policy that is tested, and how. */
export interface Subject {
  readonly policy: PolicyDefinition;
  /** As the configuration would have them; the policy's defaults without. */
  readonly options?: unknown;
  /** The same seed makes the same tasks and the same events. */
  readonly seed: number;
}

export type Outcome = 'passed' | 'failed' | 'not applicable';

/** CheckResult is a check's outcome with one line that says what was seen. */
export interface CheckResult {
  readonly outcome: Outcome;
  readonly detail: string;
}

/** Check is one thing that every policy must do. */
export interface Check {
  readonly name: string;
  /** What must hold, as a sentence's end: "every task that wakes runs". */
  readonly claim: string;
  /** May throw what the policy throws. */
  run(subject: Subject): CheckResult;
}

/** verdict makes a result of a condition. */
export function verdict(holds: boolean, detail: string): CheckResult {
  return { outcome: holds ? 'passed' : 'failed', detail };
}

export const notApplicable = (detail: string): CheckResult => ({ outcome: 'not applicable', detail });

export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
export const ms = (ns: number): string => `${(ns / 1e6).toFixed(1)} ms`;
