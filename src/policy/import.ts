/** Imports a policy into this thread. Workers use this: it must not draw in what only the main thread needs. */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { EXIT, UserError } from '../cli/errors.js';
import { importBuiltin } from './builtin-names.js';
import { placeOf } from './place.js';
import { definePolicy, type PolicyDefinition, type PolicyModule } from './policy.js';
import type { StateSpec } from './state.js';

/**
 * importPolicy returns a built-in policy, or the default export of a JavaScript module, in this thread. Errors of its code
 * name its own files from then on.
 *
 * @param module - a built-in's name, a URL or a path
 * @param name - for messages
 * @throws UserError (configuration) when the module does not export a policy
 */
export async function importPolicy(module: string, name = module): Promise<PolicyDefinition> {
  const builtin = await importBuiltin(module);
  if (builtin !== undefined) return builtin;
  process.setSourceMapsEnabled(true);
  const url = module.startsWith('file:') ? module : pathToFileURL(resolve(module)).href;
  try {
    const { default: exported } = (await import(url)) as { default?: unknown };
    if (!isModule(exported)) throw new TypeError('expected `export default definePolicy({ ... })`');
    // A plain object will do as well.
    return definePolicy(exported);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    const place = placeOf(cause);
    throw new UserError(`policy ${name}: ${message}${place === '' ? '' : ` (${place})`}`, EXIT.config, {
      cause,
    });
  }
}

function isModule(value: unknown): value is PolicyModule<unknown, StateSpec> {
  return typeof value === 'object' && value !== null;
}
