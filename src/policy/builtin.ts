/** The built-in policies, by name. */
import central from './central.js';
import eevdf from './eevdf.js';
import deadline from './deadline.js';
import fifo from './fifo.js';
import layered from './layered.js';
import type { PolicyDefinition } from './policy.js';
import rr from './rr.js';
import vtime from './vtime.js';

const BUILTIN: readonly PolicyDefinition[] = [vtime, fifo, rr, eevdf, deadline, layered, central];

/** BUILTIN_POLICY_NAMES lists the built-in policies, the default first. */
export const BUILTIN_POLICY_NAMES: readonly string[] = BUILTIN.map(({ name }) => name);

/** DEFAULT_POLICY is what runs when nothing else is said, and where another policy failed too often. */
export const DEFAULT_POLICY = BUILTIN[0].name;

/** builtinPolicy finds a built-in policy, or undefined. */
export function builtinPolicy(name: string): PolicyDefinition | undefined {
  return BUILTIN.find((policy) => policy.name === name);
}
