/** The built-in policies: their names, and each one's module, which is loaded only when it is wanted. */
import type { PolicyDefinition } from './policy.js';

type PolicyImport = () => Promise<{ readonly default: PolicyDefinition }>;

/** DEFAULT_POLICY is what runs when nothing else is said, and where another policy failed too often. */
export const DEFAULT_POLICY = 'vtime';

const MODULES: ReadonlyMap<string, PolicyImport> = new Map<string, PolicyImport>([
  [DEFAULT_POLICY, () => import('./vtime.js')],
  ['fifo', () => import('./fifo.js')],
  ['rr', () => import('./rr.js')],
  ['eevdf', () => import('./eevdf.js')],
  ['deadline', () => import('./deadline.js')],
  ['layered', () => import('./layered.js')],
  ['central', () => import('./central.js')],
]);

/** BUILTIN_POLICY_NAMES lists the built-in policies, the default first. */
export const BUILTIN_POLICY_NAMES: readonly string[] = [...MODULES.keys()];

/** importBuiltin loads a built-in policy; undefined when there is none of that name. */
export async function importBuiltin(name: string): Promise<PolicyDefinition | undefined> {
  return (await MODULES.get(name)?.())?.default;
}
