/** Finds a policy by name or by file. */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { EXIT, UserError } from '../cli/errors.js';
import { BUILTIN_POLICY_NAMES, builtinPolicy } from './builtin.js';
import { definePolicy, type PolicyDefinition } from './policy.js';

/**
 * loadPolicy returns a built-in policy, or the default export of a module when the name is a path (it has a slash).
 *
 * @throws UserError (configuration) when there is no such policy or the module does not export one.
 */
export async function loadPolicy(name: string): Promise<PolicyDefinition> {
  const builtin = builtinPolicy(name);
  if (builtin !== undefined) return builtin;
  if (!name.includes('/')) {
    const known = BUILTIN_POLICY_NAMES.join(', ');
    throw new UserError(`no policy "${name}"; expected ${known}, or the path of a module`, EXIT.config);
  }
  let exported: unknown;
  try {
    const module = (await import(pathToFileURL(resolve(name)).href)) as { default?: unknown };
    exported = module.default;
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new UserError(`policy ${name} does not load: ${message}`, EXIT.config, { cause });
  }
  if (!isDefinition(exported)) {
    throw new UserError(`policy ${name}: expected \`export default definePolicy({ ... })\``, EXIT.config);
  }
  return definePolicy(exported);
}

function isDefinition(value: unknown): value is PolicyDefinition {
  if (typeof value !== 'object' || value === null) return false;
  return (
    'name' in value &&
    typeof value.name === 'string' &&
    'create' in value &&
    typeof value.create === 'function'
  );
}
