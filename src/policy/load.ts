/** Finds policies by name or by file. */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { EXIT, UserError } from '../cli/errors.js';
import { BUILTIN_POLICY_NAMES, builtinPolicy } from './builtin.js';
import { Compiler } from './compile.js';
import { placeOf } from './place.js';
import { definePolicy, type PolicyDefinition, type PolicyModule } from './policy.js';
import { isModulePath } from './source.js';
import type { StateSpec } from './state.js';

/** LoadedPolicy is a policy that can be handed to workers. */
export interface LoadedPolicy {
  /** A built-in's name, or a module's absolute path. */
  readonly source: string;
  /** What workers import: a built-in's name, or the URL of what was compiled. */
  readonly module: string;
  readonly definition: PolicyDefinition;
}

/** PolicyLoader loads policies for the main thread. What it compiled is there until it is closed. */
export class PolicyLoader {
  private readonly compiler = new Compiler();

  /**
   * load finds a built-in policy, or compiles and imports a module: anew each time, so that a changed file counts.
   *
   * @param name - a built-in's name or a path, which `folder` completes
   * @throws UserError (configuration) when there is none, it does not compile, or does not export a policy
   */
  async load(name: string, folder = process.cwd()): Promise<LoadedPolicy> {
    const builtin = builtinPolicy(name);
    if (builtin !== undefined) return { source: name, module: name, definition: builtin };
    if (!isModulePath(name)) {
      const known = BUILTIN_POLICY_NAMES.join(', ');
      throw new UserError(`no policy "${name}"; expected ${known}, or the path of a module`, EXIT.config);
    }
    const source = resolve(folder, name);
    const module = await this.compiler.compile(source, name);
    return { source, module, definition: await importPolicy(module, name) };
  }

  close(): void {
    this.compiler.close();
  }
}

/**
 * importPolicy returns a built-in policy, or the default export of a JavaScript module, in this thread. Errors of its code
 * name its own files from then on.
 *
 * @param module - a built-in's name, a URL or a path
 * @param name - for messages
 * @throws UserError (configuration) when the module does not export a policy
 */
export async function importPolicy(module: string, name = module): Promise<PolicyDefinition> {
  const builtin = builtinPolicy(module);
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
