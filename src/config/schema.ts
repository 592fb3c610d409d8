/** The settings of `nodeland run`: one schema for the file and for the command line. */
import { z } from 'zod';
import { DOMAIN_SPEC_SHAPE, DomainSpecError, parseDomainSpec } from '../domain/spec.js';
import { BUILTIN_POLICY_NAMES } from '../policy/builtin.js';
import { LIMIT } from '../shm/layout.generated.js';
import { MAX_DOMAINS } from '../topology/ids.js';

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

/** A built-in policy, or a module's path, which has a slash in it. */
const policyName = z.string().refine((name) => BUILTIN_POLICY_NAMES.includes(name) || name.includes('/'));

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
  .pipe(z.record(domainKey, policyName));

/** The longest that a timer of Node.js can wait, in whole seconds; a longer one ends at once. */
export const LONGEST_TIMER_S = 2_147_483;

/** Every setting with its default. Unknown keys are refused. */
export const settingsSchema = z.strictObject({
  domains: domainSpec.default('node'),
  policy: policyName.default('vtime'),
  domainPolicies: domainPolicies.default({}),
  wait: z.enum(WAIT_MODES).default('park'),
  ask: z.enum(ASK_MODES).default('auto'),
  partial: z.boolean().default(false),
  fastPath: z.boolean().default(true),
  sliceUs: z.int().min(100).max(100_000).default(20_000),
  stallMs: z.int().min(5).max(1_000).default(20),
  slots: z.int().min(256).max(LIMIT.MAX_SLOTS).default(16_384),
  stealUs: z.int().min(0).max(1_000_000).default(0),
  balanceMs: z.literal(0).or(z.int().min(500).max(2_000)).default(1_000),
  heartbeatMs: z.int().min(10).max(1_000).default(100),
  durationS: z.number().positive().max(LONGEST_TIMER_S).optional(),
  statsS: z.number().min(0.1).max(3_600).optional(),
});

export type Settings = Readonly<z.output<typeof settingsSchema>>;
export type SettingKey = keyof Settings;

const oneOf = (names: readonly string[]): string => `one of ${names.join(', ')}`;

const POLICY_SHAPE = `${BUILTIN_POLICY_NAMES.join(', ')} or the path of a policy module (such as ./my.js)`;

/** What each key wants, in words; the second half of every error message. */
export const EXPECTED: Readonly<Record<SettingKey, string>> = {
  domains: DOMAIN_SPEC_SHAPE,
  policy: POLICY_SHAPE,
  domainPolicies: `a map from domain numbers (0 to ${MAX_DOMAINS - 1}) to ${POLICY_SHAPE}`,
  wait: oneOf(WAIT_MODES),
  ask: oneOf(ASK_MODES),
  partial: 'true or false',
  fastPath: 'true or false',
  sliceUs: 'a whole number of microseconds from 100 to 100000',
  stallMs: 'a whole number of milliseconds from 5 to 1000',
  slots: `a whole number of tasks from 256 to ${LIMIT.MAX_SLOTS}`,
  stealUs: 'a whole number of microseconds from 0 to 1000000',
  balanceMs: 'a whole number of milliseconds from 500 to 2000, or 0 for never',
  heartbeatMs: 'a whole number of milliseconds from 10 to 1000',
  durationS: 'a number of seconds above 0, at most 2147483 (24 days)',
  statsS: 'a number of seconds from 0.1 to 3600',
};

export const SETTING_KEYS = Object.keys(EXPECTED) as readonly SettingKey[];

/** isSettingKey tells a known key from any other text; `toString` and its like are no keys. */
export function isSettingKey(key: unknown): key is SettingKey {
  return typeof key === 'string' && Object.hasOwn(EXPECTED, key);
}
