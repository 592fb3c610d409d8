/** `--policy-option key=value`, as often as wanted. */
import { isScalar, parseDocument } from 'yaml';
import { harmless, show } from '../config/issues.js';
import { isPlainValue } from '../config/plain.js';
import type { PolicyOptions } from '../config/schema.js';
import { EXIT, UserError } from './errors.js';

/** A value on the command line is a number or a word. */
const LONGEST_VALUE = 1000;

/** collect gathers an option's values, for commander. */
export function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

/**
 * parsePolicyOptions reads `key=value`s. A value is what it would be in the configuration file: 5 a number, true a truth value,
 * other words text.
 *
 * @throws UserError (usage) that shows what cannot be read
 */
export function parsePolicyOptions(given: readonly string[]): PolicyOptions {
  const options = new Map<string, unknown>();
  for (const text of given) {
    const match = /^([A-Za-z][\w-]*)=(.*)$/s.exec(text);
    if (match === null) throw refusal('expected key=value', text);
    const [, key, value] = match;
    if (options.has(key)) throw refusal(`expected each key once`, text);
    options.set(key, scalar(value, text));
  }
  return Object.fromEntries(options);
}

function scalar(value: string, text: string): unknown {
  if (value === '') return '';
  if (value.length > LONGEST_VALUE) throw refusal(`expected at most ${LONGEST_VALUE} letters`, text);
  const { contents, errors } = parseDocument(value, { logLevel: 'silent' });
  const read: unknown = errors.length === 0 && isScalar(contents) ? contents.value : undefined;
  if (read === undefined || !isPlainValue(read))
    throw refusal('expected a number, true, false or a word as value', text);
  return read;
}

function refusal(expected: string, text: string): UserError {
  return new UserError(harmless(`--policy-option: ${expected}, found ${show(text)}`), EXIT.usage);
}
