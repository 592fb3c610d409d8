/** The configuration file: YAML (and so JSON too), with the place of every value kept for messages. */
import { isUtf8 } from 'node:buffer';
import { closeSync, openSync, readSync } from 'node:fs';
import { type Document, LineCounter, isMap, isNode, isScalar, parseDocument, visit } from 'yaml';
import { EXIT, UserError } from '../cli/errors.js';
import { findExcess } from './excess.js';
import { type SettingPath, harmless, show } from './issues.js';
import { isPlainMap } from './plain.js';

/** Where in a file: 1-based line and column. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** ConfigFile is a parsed but unchecked configuration file. */
export interface ConfigFile {
  readonly name: string;
  /** Values by key; what they are is for the schema to check. */
  readonly values: Readonly<Record<string, unknown>>;
  /** placeOf gives the place of a key or of its value, or of the nearest thing around it. */
  placeOf(path: SettingPath, ofKey: boolean): Place;
}

/** More than any configuration needs; keeps a mistaken path (a log, a disk) from being read whole. */
const LARGEST_FILE_BYTES = 1 << 16;

/** readConfigFile reads and parses a file. @throws UserError (78) when it cannot be read or is no YAML map. */
export function readConfigFile(name: string): ConfigFile {
  let bytes: Buffer;
  try {
    bytes = readBeginning(name, LARGEST_FILE_BYTES + 1);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    const why = code === 'ENOENT' ? 'no such file' : `cannot be read (${code})`;
    throw new UserError(`${name === '' ? '""' : name}: ${why}`, EXIT.config, { cause: error });
  }
  if (bytes.length > LARGEST_FILE_BYTES) {
    const limit = `more than ${LARGEST_FILE_BYTES} bytes`;
    throw new UserError(`${name}: ${limit} are too many for a configuration file`, EXIT.config);
  }
  if (!isUtf8(bytes)) throw new UserError(`${name}: expected YAML in UTF-8, found other bytes`, EXIT.config);
  return parseConfigText(bytes.toString('utf8'), name);
}

/** Reads no more than is asked for: a device has no end. */
function readBeginning(name: string, mostBytes: number): Buffer {
  const bytes = Buffer.alloc(mostBytes);
  const fd = openSync(name, 'r');
  try {
    let length = 0;
    while (length < mostBytes) {
      const more = readSync(fd, bytes, length, mostBytes - length, null);
      if (more === 0) break;
      length += more;
    }
    return bytes.subarray(0, length);
  } finally {
    closeSync(fd);
  }
}

/** parseConfigText parses YAML text. @throws UserError (78) with line and column when it is no YAML map. */
export function parseConfigText(text: string, name: string): ConfigFile {
  const lines = new LineCounter();
  const excess = findExcess(text, lines);
  const place = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  if (excess) throw mistake(name, place(excess.offset), excess.text);
  const document = parseDocument(text, { prettyErrors: false, logLevel: 'error' });
  const problem = document.errors.at(0) ?? document.warnings.at(0);
  if (problem) throw mistake(name, place(problem.pos[0]), `not valid YAML: ${problem.message}`);

  return {
    name,
    values: plainValues(document, name, place),
    placeOf: (path, ofKey) => place(offsetOf(document, path, ofKey)),
  };
}

/** mistake makes the error for a place in a file: `name:line:column: text`. */
function mistake(name: string, { line, column }: Place, text: string): UserError {
  return new UserError(`${name}:${line}:${column}: ${harmless(text)}`, EXIT.config);
}

function plainValues(
  document: Document,
  name: string,
  place: (offset: number) => Place,
): Record<string, unknown> {
  let values: unknown;
  try {
    values = document.toJS({ maxAliasCount: 50 });
  } catch (error) {
    // Aliases that refer to nothing or multiply without end.
    const why = error instanceof Error ? error.message : String(error);
    throw mistake(name, place(badAliasOffset(document)), `not valid YAML: ${why}`);
  }
  if (values === null || values === undefined) return {};
  if (!isMap(document.contents) || !isPlainMap(values)) {
    throw mistake(
      name,
      { line: 1, column: 1 },
      `expected a map of settings (key: value), found ${show(values)}`,
    );
  }
  return values;
}

/** Where the first alias is that refers to nothing, else the first of all. */
function badAliasOffset(document: Document): number {
  const offsets: number[] = [];
  const unresolved: number[] = [];
  visit(document, {
    Alias: (_key, alias) => {
      const offset = alias.range?.[0] ?? 0;
      offsets.push(offset);
      if (!alias.resolve(document)) unresolved.push(offset);
    },
  });
  return unresolved.at(0) ?? offsets.at(0) ?? 0;
}

/** Follows the path as far as it goes; the last thing found gives the offset. */
function offsetOf(document: Document, path: SettingPath, ofKey: boolean): number {
  let offset = 0;
  let node: unknown = document.contents;
  for (const [depth, key] of path.entries()) {
    if (!isMap(node)) break;
    const pair = node.items.find(
      (item) => (isScalar(item.key) ? String(item.key.value) : String(item.key)) === key,
    );
    if (!pair) break;
    const last = depth === path.length - 1;
    const shown = last && ofKey ? pair.key : (pair.value ?? pair.key);
    if (isNode(shown) && shown.range) offset = shown.range[0];
    node = pair.value;
  }
  return offset;
}
