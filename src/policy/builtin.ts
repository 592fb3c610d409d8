/** The built-in policies, all of them: for the main thread. Workers load the one they run (builtin-names.ts). */
import { BUILTIN_POLICY_NAMES, importBuiltin } from './builtin-names.js';
import type { PolicyDefinition } from './policy.js';

const BUILTIN = new Map<string, PolicyDefinition | undefined>(
  await Promise.all(BUILTIN_POLICY_NAMES.map(async (name) => [name, await importBuiltin(name)] as const)),
);

/** builtinPolicy finds a built-in policy, or undefined. */
export function builtinPolicy(name: string): PolicyDefinition | undefined {
  return BUILTIN.get(name);
}
