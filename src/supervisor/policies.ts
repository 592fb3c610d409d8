/** Policies on their way from the configuration or the control socket to workers. Main thread only. */
import { EXIT, UserError } from '../cli/errors.js';
import type { RunConfig } from '../config/config.js';
import { type PolicySetting, policySetting } from '../config/policies.js';
import type { PolicyOptions } from '../config/schema.js';
import { harmless } from '../config/issues.js';
import { DEFAULT_POLICY } from '../policy/builtin-names.js';
import { builtinPolicy } from '../policy/builtin.js';
import type { LoadedPolicy, PolicyLoader } from '../policy/load.js';
import { OptionsError, parseOptions } from '../policy/options.js';

/** ChosenPolicy is a policy with options that it accepts. */
export interface ChosenPolicy extends LoadedPolicy {
  /** As given; undefined where none were. */
  readonly options: PolicyOptions | undefined;
  /** What the policy made of them: what its workers get. */
  readonly checked: unknown;
}

/** builtinDefault is the built-in policy for a domain whose own failed too often. */
export function builtinDefault(): ChosenPolicy {
  const definition = builtinPolicy(DEFAULT_POLICY);
  if (definition === undefined) throw new TypeError(`no policy ${DEFAULT_POLICY}`);
  const checked = parseOptions(definition, undefined);
  return { source: DEFAULT_POLICY, module: DEFAULT_POLICY, definition, options: undefined, checked };
}

/**
 * choosePolicies loads what the configuration names for each of so many domains, each module once.
 *
 * @throws UserError (configuration) with the place of what is wrong
 */
export async function choosePolicies(
  loader: PolicyLoader,
  config: RunConfig,
  nrDomains: number,
): Promise<readonly ChosenPolicy[]> {
  const loaded = new Map<string, LoadedPolicy>();
  const chosen: ChosenPolicy[] = [];
  for (let domain = 0; domain < nrDomains; domain++) {
    const setting = policySetting(config, domain);
    const key = `${setting.folder}\0${setting.policy}`;
    const policy = loaded.get(key) ?? (await loadSetting(loader, setting));
    loaded.set(key, policy);
    chosen.push(withOptions(policy, setting.options, (path) => setting.aboutOption(path)));
  }
  return chosen;
}

async function loadSetting(
  loader: PolicyLoader,
  { policy, folder, aboutPolicy }: PolicySetting,
): Promise<LoadedPolicy> {
  try {
    return await loader.load(policy, folder);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`${aboutPolicy}: ${error.message}`, error.exitCode, { cause: error });
  }
}

/**
 * withOptions gives a policy its options.
 *
 * @param about - the beginning of a message about one of them
 * @throws UserError (configuration), a line for each mistake
 */
export function withOptions(
  policy: LoadedPolicy,
  options: PolicyOptions | undefined,
  about: (path: readonly string[]) => string,
): ChosenPolicy {
  try {
    return { ...policy, options, checked: parseOptions(policy.definition, options) };
  } catch (error) {
    if (!(error instanceof OptionsError)) throw error;
    const lines = error.mistakes.map(({ path, text }) =>
      harmless(`${about(path)}: policy ${policy.definition.name}: ${text}`),
    );
    throw new UserError(lines.join('\n'), EXIT.config, { cause: error });
  }
}
