/** Finds workloads by name or by file, and says what is wrong with a file, and where. */
import type { z } from 'zod';
import { EXIT, UserError } from '../../cli/errors.js';
import { type ConfigFile, readConfigFile } from '../../config/file.js';
import { harmless, show } from '../../config/issues.js';
import { namedWorkload, WORKLOAD_NAMES } from './named.js';
import { type WorkloadSpec, workloadSchema } from './schema.js';

const isFile = (name: string): boolean => name.includes('/') || /\.(?:ya?ml|json)$/.test(name);

/**
 * loadWorkload finds a named workload, or reads a file.
 *
 * @throws UserError: usage when there is none of that name, configuration with file, line and column for a file's mistakes
 */
export function loadWorkload(name: string): WorkloadSpec {
  const named = namedWorkload(name);
  if (named !== undefined) return workloadSchema.parse(named);
  if (!isFile(name)) {
    const known = WORKLOAD_NAMES.join(', ');
    const text = `--workload: expected ${known} or the path of a YAML file, found ${show(name)}`;
    throw new UserError(harmless(text), EXIT.usage);
  }
  return checkWorkload(readConfigFile(name));
}

/** checkWorkload is the same for a file that is already parsed. */
export function checkWorkload(file: ConfigFile): WorkloadSpec {
  const parsed = workloadSchema.safeParse(file.values);
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.map((issue) => {
    const { path, aboutKey, text } = describe(issue, file.values);
    const { line, column } = file.placeOf(path, aboutKey);
    return harmless(`${file.name}:${line}:${column}: ${text}`);
  });
  throw new UserError([...new Set(lines)].join('\n'), EXIT.config);
}

interface Finding {
  readonly path: readonly string[];
  readonly aboutKey: boolean;
  readonly text: string;
}

function describe(issue: z.core.$ZodIssue, values: unknown): Finding {
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    const [key = ''] = issue.keys;
    return { path: [...path, key], aboutKey: true, text: `${[...path, key].join('.')}: unknown key` };
  }
  const name = path.length === 0 ? 'the workload' : path.join('.');
  const aboutKey = issue.code === 'invalid_key';
  const found = aboutKey ? `key ${show(path.at(-1))}` : show(valueAt(values, path));
  return { path, aboutKey, text: `${name}: ${expected(issue)}, found ${found}` };
}

const TYPES: Readonly<Record<string, string>> = {
  record: 'a map',
  object: 'a map',
  number: 'a number',
  int: 'a whole number',
  string: 'a text',
};

function expected(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${TYPES[issue.expected] ?? issue.expected}`;
    case 'too_small':
      return `expected ${issue.inclusive === true ? 'at least' : 'more than'} ${issue.minimum}`;
    case 'too_big':
      return `expected ${issue.inclusive === true ? 'at most' : 'less than'} ${issue.maximum}`;
    case 'invalid_key':
      return 'expected a name of 1 to 15 letters, digits, - and _';
    case 'invalid_union':
      return 'expected hogs, sleepers, pinned, forks, pipeline, server or build';
    default:
      return issue.message.startsWith('expected ')
        ? issue.message
        : `expected another value (${issue.message})`;
  }
}

function valueAt(input: unknown, path: readonly string[]): unknown {
  let value = input;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}
