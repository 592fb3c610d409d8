/** Settings from the file and the command line together, checked, with the origin of each kept. */
import { EXIT, UserError } from '../cli/errors.js';
import { type ConfigFile, readConfigFile } from './file.js';
import { type Finding, describeIssues } from './issues.js';
import { isPlainMap } from './plain.js';
import { type SettingKey, type Settings, isSettingKey, settingsSchema } from './schema.js';

/** FileOrigin is a place in the configuration file. */
export interface FileOrigin {
  readonly from: 'file';
  readonly place: string;
  readonly file: ConfigFile;
}

/** Where a setting's value came from. Keys left to their default have no origin. */
export type Origin =
  | FileOrigin
  /** Of policyOptions, which are taken one by one: those that were typed, and where the others are from. */
  | {
      readonly from: 'command line';
      readonly keys?: readonly string[];
      readonly others?: FileOrigin | undefined;
    };

/** So many mistakes in a file are told; the rest may be the same one. */
const MOST_FINDINGS = 20;

/** RunConfig is all that a run needs to know. */
export interface RunConfig extends Settings {
  readonly verbose: boolean;
  readonly origins: ReadonlyMap<SettingKey, Origin>;
}

/** ConfigInput is what the command line gives: values as typed, not yet checked. */
export interface ConfigInput {
  /** Path of the configuration file (YAML or JSON). */
  readonly file?: string | undefined;
  /** Settings by key with the option they came from; they override the file's. */
  readonly options?: Partial<Record<SettingKey, { readonly option: string; readonly value: unknown }>>;
  readonly verbose?: boolean;
}

/**
 * loadConfig reads the file, if one is given, checks it by itself, and lays the command line's values over it.
 *
 * @throws UserError 78 with file, line, column, key, what was expected and what was found, one line for
 *   each mistake; 64 naming the option when the mistake is on the command line.
 */
export function loadConfig({ file, options = {}, verbose = false }: ConfigInput = {}): RunConfig {
  return mergeConfig(file === undefined ? undefined : readConfigFile(file), options, verbose);
}

/** mergeConfig is {@link loadConfig} for a file that is already parsed. */
export function mergeConfig(
  file: ConfigFile | undefined,
  options: NonNullable<ConfigInput['options']> = {},
  verbose = false,
): RunConfig {
  const origins = new Map<SettingKey, Origin>();
  if (file) {
    checkFile(file);
    for (const key of Object.keys(file.values)) {
      if (isSettingKey(key)) origins.set(key, fileOrigin(file, key));
    }
  }

  const overrides: Record<string, unknown> = {};
  for (const [key, given] of Object.entries(options)) {
    if (given.value === undefined || !isSettingKey(key)) continue;
    overrides[key] = given.value;
    origins.set(key, { from: 'command line' });
  }
  const values: Record<string, unknown> = { ...file?.values };
  if ('policy' in overrides) {
    // The file's options were for the file's policy.
    delete values['policyOptions'];
    if (!('policyOptions' in overrides)) origins.delete('policyOptions');
  }
  const parsed = settingsSchema.safeParse({ ...values, ...overrides });
  if (!parsed.success) {
    const lines = describeIssues(parsed.error.issues, overrides).map(({ path: [key], text }) =>
      withOption(isSettingKey(key) ? options[key]?.option : undefined, key, text),
    );
    throw new UserError([...new Set(lines)].join('\n'), EXIT.usage);
  }
  if (!('policyOptions' in overrides)) return { ...parsed.data, verbose, origins };
  const { policyOptions } = parsed.data;
  const keys = Object.keys(policyOptions);
  const fromFile = isPlainMap(values['policyOptions']) ? values['policyOptions'] : undefined;
  const others = file && fromFile ? fileOrigin(file, 'policyOptions') : undefined;
  origins.set('policyOptions', { from: 'command line', keys, others });
  return { ...parsed.data, policyOptions: { ...fromFile, ...policyOptions }, verbose, origins };
}

function fileOrigin(file: ConfigFile, key: SettingKey): FileOrigin {
  return { from: 'file', place: placeText(file, { path: [key], aboutKey: false }), file };
}

function checkFile(file: ConfigFile): void {
  const parsed = settingsSchema.safeParse(file.values);
  if (parsed.success) return;
  const findings = describeIssues(parsed.error.issues, file.values);
  const lines = new Set(
    findings.slice(0, MOST_FINDINGS).map((finding) => `${placeText(file, finding)}: ${finding.text}`),
  );
  if (findings.length > MOST_FINDINGS) lines.add(`${file.name}: and ${findings.length - MOST_FINDINGS} more`);
  throw new UserError([...lines].join('\n'), EXIT.config);
}

/** placeText gives a place as `name:line:column`. */
export function placeText(file: ConfigFile, { path, aboutKey }: Pick<Finding, 'path' | 'aboutKey'>): string {
  const { line, column } = file.placeOf(path, aboutKey);
  return `${file.name}:${line}:${column}`;
}

/** `sliceUs: expected ...` becomes `--slice-us: expected ...`. */
function withOption(option: string | undefined, key: string | undefined, text: string): string {
  return option !== undefined && key !== undefined && text.startsWith(key)
    ? option + text.slice(key.length)
    : text;
}
