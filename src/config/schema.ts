/** The settings of `nodeland run`: one schema for the file and for the command line. */
import { z } from 'zod';
import { DOMAIN_SPEC_SHAPE, DomainSpecError, parseDomainSpec } from '../domain/spec.js';
import { BUILTIN_POLICY_NAMES } from '../policy/builtin-names.js';
import { isModulePath } from '../policy/source.js';
import { LIMIT } from '../shm/layout.generated.js';
import { MAX_DOMAINS } from '../topology/ids.js';
import { isPlainMap, isPlainValue } from './plain.js';

/** How a worker waits for tasks; DESIGN: park gives the CPU back to its domain, spin owns it, poll sleeps on a file descriptor. */
export const WAIT_MODES = ['park', 'spin', 'poll'] as const;
/** When a worker is asked: `auto` leaves wake-ups to standing orders, `always` turns these off. */
export const ASK_MODES = ['auto', 'always'] as const;

const domainSpec = z.string().superRefine((text, context) => {
  try {
    parseDomainSpec(text);
  } catch (error) {
    if (!(error instanceof DomainSpecError)) throw error;
    context.addIssue({ code: 'custom', message: error.message });
  }
});

/** A built-in policy, or a module's path. No path has a zero in it. */
const policyName = z
  .string()
  .refine((name) => BUILTIN_POLICY_NAMES.includes(name) || (isModulePath(name) && !name.includes('\0')));

/** PolicyOptions are a policy's options as given, not yet checked by its own schema. */
export type PolicyOptions = Readonly<Record<string, unknown>>;
const policyOptions = z.custom<PolicyOptions>((value) => isPlainMap(value) && isPlainValue(value));

const policyChoice = z.strictObject({ policy: policyName, options: policyOptions.optional() });
/** Keys of a domain's policy that is a map. */
export const CHOICE_KEYS = Object.keys(policyChoice.shape);
/** PolicyChoice is a policy, with options or as a name alone. */
export type PolicyChoice = string | Readonly<z.output<typeof policyChoice>>;

/** Either form's mistakes are told at their place within it, which a union's are not. */
const domainPolicy = z
  .unknown()
  .superRefine((value, context) => {
    const { error } = isPlainMap(value) ? policyChoice.safeParse(value) : policyName.safeParse(value);
    for (const { path, ...issue } of error?.issues ?? []) context.addIssue({ ...issue, path: [...path] });
  })
  .pipe(z.custom<PolicyChoice>());

const DOMAIN_KEY = /^(?:0|[1-9]\d?)$/;
const domainKey = z.string().refine((key) => DOMAIN_KEY.test(key) && Number(key) < MAX_DOMAINS);

/** Zod leaves `__proto__` out of records without a word. */
const domainPolicies = z
  .unknown()
  .superRefine((map, context) => {
    const isHidden = typeof map === 'object' && map !== null && Object.hasOwn(map, '__proto__');
    if (isHidden)
      context.addIssue({ code: 'invalid_key', path: ['__proto__'], origin: 'record', issues: [] });
  })
  .pipe(z.record(domainKey, domainPolicy));

/** What fits into a Unix socket's address (sun_path of unix(7)) with its final zero. */
const SOCKET_PATH_MAX_BYTES = 107;
const socketPath = z
  .string()
  .refine((path) => path !== '' && !path.includes('\0') && Buffer.byteLength(path) <= SOCKET_PATH_MAX_BYTES);

/** The longest that a timer of Node.js can wait, in whole seconds; a longer one ends at once. */
export const LONGEST_TIMER_S = 2_147_483;

/** Every setting with its default. Unknown keys are refused. */
export const settingsSchema = z.strictObject({
  domains: domainSpec.default('node'),
  policy: policyName.default('vtime'),
  policyOptions: policyOptions.default({}),
  domainPolicies: domainPolicies.default({}),
  wait: z.enum(WAIT_MODES).default('park'),
  ask: z.enum(ASK_MODES).default('auto'),
  partial: z.boolean().default(false),
  fastPath: z.boolean().default(true),
  sliceUs: z.int().min(100).max(100_000).default(20_000),
  stallMs: z.int().min(5).max(1_000).default(20),
  slots: z.int().min(256).max(LIMIT.MAX_SLOTS).default(16_384),
  stealUs: z.int().min(0).max(1_000_000).default(0),
  extensionUs: z.int().min(0).max(10_000).default(200),
  balanceMs: z.literal(0).or(z.int().min(500).max(2_000)).default(1_000),
  heartbeatMs: z.int().min(10).max(1_000).default(100),
  durationS: z.number().positive().max(LONGEST_TIMER_S).optional(),
  statsS: z.number().min(0.1).max(3_600).optional(),
  socket: socketPath.optional(),
});

export type Settings = Readonly<z.output<typeof settingsSchema>>;
export type SettingKey = keyof Settings;

const oneOf = (names: readonly string[]): string => `one of ${names.join(', ')}`;

const POLICY_SHAPE = `${BUILTIN_POLICY_NAMES.join(', ')} or the path of a policy module (such as ./my.ts)`;

/** What each key wants, in words; the second half of every error message. */
export const EXPECTED: Readonly<Record<SettingKey, string>> = {
  domains: DOMAIN_SPEC_SHAPE,
  policy: POLICY_SHAPE,
  policyOptions: 'a map from option names to plain values',
  domainPolicies: `a map from domain numbers (0 to ${MAX_DOMAINS - 1}) to ${POLICY_SHAPE}, or to a map of policy and options`,
  wait: oneOf(WAIT_MODES),
  ask: oneOf(ASK_MODES),
  partial: 'true or false',
  fastPath: 'true or false',
  sliceUs: 'a whole number of microseconds from 100 to 100000',
  stallMs: 'a whole number of milliseconds from 5 to 1000',
  slots: `a whole number of tasks from 256 to ${LIMIT.MAX_SLOTS}`,
  stealUs: 'a whole number of microseconds from 0 to 1000000',
  extensionUs: 'a whole number of microseconds from 0 to 10000',
  balanceMs: 'a whole number of milliseconds from 500 to 2000, or 0 for never',
  heartbeatMs: 'a whole number of milliseconds from 10 to 1000',
  durationS: 'a number of seconds above 0, at most 2147483 (24 days)',
  statsS: 'a number of seconds from 0.1 to 3600',
  socket: `a path of 1 to ${SOCKET_PATH_MAX_BYTES} bytes`,
};

export const SETTING_KEYS = Object.keys(EXPECTED) as readonly SettingKey[];

/** isSettingKey tells a known key from any other text; `toString` and its like are no keys. */
export function isSettingKey(key: unknown): key is SettingKey {
  return typeof key === 'string' && Object.hasOwn(EXPECTED, key);
}
