/** Finds policies by name or by file. */
import { resolve } from 'node:path';
import { EXIT, UserError } from '../cli/errors.js';
import { BUILTIN_POLICY_NAMES, importBuiltin } from './builtin-names.js';
import { Compiler } from './compile.js';
import { importPolicy } from './import.js';
import type { PolicyDefinition } from './policy.js';
import { isModulePath } from './source.js';

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
    const builtin = await importBuiltin(name);
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
