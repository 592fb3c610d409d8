/** Turning the schema's findings into sentences: which key, what was expected, what was found. */
import type { z } from 'zod';
import { isPlainMap } from './plain.js';
import { CHOICE_KEYS, EXPECTED, SETTING_KEYS, isSettingKey } from './schema.js';

/** A path to a value in the settings: ['sliceUs'] or ['domainPolicies', '0']. */
export type SettingPath = readonly string[];

/** Finding is one mistake: where, and the sentence about it without the place. */
export interface Finding {
  readonly path: SettingPath;
  /** True when the key itself is the mistake rather than its value. */
  readonly aboutKey: boolean;
  readonly text: string;
}

const LONGEST_SHOWN = 60;
/** No sentence of ours is as long; what a file makes longer is cut. */
const LONGEST_SENTENCE = 500;

/** describeIssues gives one finding for each mistake, in the schema's order. */
export function describeIssues(issues: readonly z.core.$ZodIssue[], input: unknown): Finding[] {
  return issues.flatMap((issue) => describeIssue(issue, input));
}

function describeIssue(issue: z.core.$ZodIssue, input: unknown): Finding[] {
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: [...path, key],
      aboutKey: true,
      text: harmless(path.length === 0 ? unknownKey(key) : unknownInner(path, key)),
    }));
  }
  const [key] = path;
  const name = path.join('.');
  if (!isSettingKey(key)) {
    return [{ path: [], aboutKey: false, text: `expected a map of settings, found ${show(input)}` }];
  }
  const detail =
    issue.code === 'custom' && !issue.message.startsWith('expected ') ? ` (${issue.message})` : '';
  const found = issue.code === 'invalid_key' ? `key ${show(path.at(-1))}` : show(valueAt(input, path));
  return [
    {
      path,
      aboutKey: issue.code === 'invalid_key',
      text: harmless(`${name}: expected ${EXPECTED[key]}, found ${found}${detail}`),
    },
  ];
}

/** The only maps with keys of their own within the settings are a domain's policy with its options. */
function unknownInner(path: SettingPath, key: string): string {
  return `${path.join('.')}: unknown key ${show(key)}; the keys are ${CHOICE_KEYS.join(', ')}`;
}

function unknownKey(key: string): string {
  const near = nearestKey(key);
  return `unknown key ${show(key)}; ${near ? `did you mean ${near}?` : `the keys are ${SETTING_KEYS.join(', ')}`}`;
}

/** show writes a value as one short line for a message. */
export function show(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return isPlainMap(value) ? 'a map' : 'something else';
  if (typeof value === 'function' || typeof value === 'symbol') return `a ${typeof value}`;
  const isNumeric = typeof value === 'number' || typeof value === 'bigint';
  const text = isNumeric ? String(value) : JSON.stringify(value);
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}...` : text;
}

/** harmless makes a sentence that quotes a file one line of bounded length, which no terminal takes for a command. */
export function harmless(text: string): string {
  const short = text.length > LONGEST_SENTENCE ? `${text.slice(0, LONGEST_SENTENCE)}...` : text;
  return short.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, (found) => {
    const code = found.codePointAt(0) ?? 0;
    return `\\u{${code.toString(16)}}`;
  });
}

function valueAt(input: unknown, path: SettingPath): unknown {
  let value = input;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}

/** The known key within two edits of a mistyped one, letter case and separators aside (slice-us, slice_us). */
function nearestKey(key: string): string | undefined {
  if (key.length > LONGEST_SHOWN) return undefined;
  const plain = (text: string): string => text.toLowerCase().replace(/[^a-z]/g, '');
  const wanted = plain(key);
  const ranked = SETTING_KEYS.map((known) => {
    const stem = plain(known).replace(/(us|ms|s)$/, '');
    return { known, edits: Math.min(editDistance(wanted, plain(known)), wanted === stem ? 0 : Infinity) };
  }).sort((a, b) => a.edits - b.edits);
  const best = ranked.at(0);
  return best && best.edits <= Math.min(2, wanted.length / 2) ? best.known : undefined;
}

/** Levenshtein's distance, one row at a time; O(a.length * b.length). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
