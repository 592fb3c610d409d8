/** A policy's options, checked. For the main thread: workers get what comes of it, and most need no zod. */
import { z } from 'zod';
import type { PolicyDefinition } from './policy.js';

/** schemaOf gives a policy's schema; undefined when it has no options. */
export function schemaOf({ options }: PolicyDefinition): z.ZodType | undefined {
  return typeof options === 'function' ? options(z) : options;
}

/** OptionMistake is one wrong option. */
export interface OptionMistake {
  /** Where in the options; empty for all of them. */
  readonly path: readonly string[];
  readonly text: string;
}

/** OptionsError says which options of a policy are wrong, and what was expected. */
export class OptionsError extends TypeError {
  override name = 'OptionsError';

  constructor(
    policy: string,
    readonly mistakes: readonly OptionMistake[],
  ) {
    super(
      `policy ${policy}: ${mistakes.map(({ path, text }) => `${path.join('.') || 'options'}: ${text}`).join('; ')}`,
    );
  }
}

/**
 * parseOptions checks a policy's options, as the configuration has them, and fills in defaults.
 *
 * @throws OptionsError that names each wrong option and what was expected
 */
export function parseOptions(definition: PolicyDefinition, given: unknown): unknown {
  const { name } = definition;
  const options = schemaOf(definition);
  if (options === undefined) {
    if (given === undefined || isEmpty(given)) return undefined;
    throw new OptionsError(name, [{ path: [], text: 'this policy has none' }]);
  }
  const parsed = options.safeParse(given ?? {});
  if (parsed.success) return parsed.data;
  throw new OptionsError(
    name,
    parsed.error.issues.map(({ path, message }) => ({ path: path.map(String), text: message })),
  );
}

const isEmpty = (given: unknown): boolean =>
  typeof given === 'object' && given !== null && Object.keys(given).length === 0;
