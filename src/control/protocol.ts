/** What is said on the control socket; docs/control-socket.md is its description. One JSON object a line, both ways. */
import { z } from 'zod';
import { isPlainMap, isPlainValue } from '../config/plain.js';
import { EXIT, type ExitCode } from '../cli/errors.js';

export const PROTOCOL_VERSION = 1;
/** A day. */
export const DURATION_MAX_MS = 86_400_000;
/** A longer line ends the connection. */
export const LINE_MAX_BYTES = 65_536;

const options = z.custom<Readonly<Record<string, unknown>>>(
  (value) => isPlainMap(value) && isPlainValue(value),
  'expected a map of plain values',
);
const version = z.literal(PROTOCOL_VERSION);

const requestSchema = z.discriminatedUnion('command', [
  z.strictObject({ version, command: z.literal('policy-list') }),
  z.strictObject({
    version,
    command: z.literal('policy-set'),
    domain: z.string().min(1).max(64),
    policy: z.string().min(1).max(4096),
    options: options.optional(),
  }),
  z.strictObject({
    version,
    command: z.literal('record-start'),
    file: z.string().startsWith('/').max(4096),
    force: z.boolean(),
    maxBytes: z.int().min(1),
    durationMs: z.number().positive().max(DURATION_MAX_MS).optional(),
  }),
  z.strictObject({ version, command: z.literal('record-status') }),
  z.strictObject({ version, command: z.literal('record-stop') }),
]);

/** Request is what a client asks. A policy is a built-in's name or an absolute path, a domain its number, name, or `all`. A recording is of the connection that asked for it. */
export type Request = z.output<typeof requestSchema>;

const failureSchema = z.object({
  version,
  ok: z.literal(false),
  /** The exit code that fits it. */
  code: z.number(),
  error: z.string(),
});
/** Failure is the answer when nothing, or not all, was done. */
export type Failure = z.output<typeof failureSchema>;

const domainSchema = z.object({
  id: z.number(),
  name: z.string(),
  /** The policy's own name. */
  policy: z.string(),
  /** A built-in's name or the module's path. */
  source: z.string(),
  options: z.record(z.string(), z.unknown()),
  /** False while its worker is started again. */
  running: z.boolean(),
  /** The policy that failed too often, for which the built-in one was put in. */
  failed: z.string().optional(),
});
/** DomainReport says what one domain runs. */
export type DomainReport = z.output<typeof domainSchema>;

const changeSchema = z.object({ id: z.number(), name: z.string(), remark: z.string().optional() });
/** Change says that a domain has its new policy, and what is worth knowing of that. */
export type Change = z.output<typeof changeSchema>;

const recordingSchema = z.object({
  records: z.number(),
  tasks: z.number(),
  /** Known at the end. */
  lost: z.number(),
  bytes: z.number(),
  seconds: z.number(),
  /** Once it has ended. */
  why: z.enum(['stopped', 'duration', 'size', 'failed']).optional(),
  error: z.string().optional(),
});

const successSchema = z.object({
  version,
  ok: z.literal(true),
  domains: z.array(domainSchema).optional(),
  changed: z.array(changeSchema).optional(),
  recording: recordingSchema.optional(),
});
/** Success has the part that goes with the request. */
export type Success = z.output<typeof successSchema>;

export type Answer = Success | Failure;
const answerSchema = z.discriminatedUnion('ok', [successSchema, failureSchema]);

/** parseRequest reads a line. @returns the request, or the answer that says what is wrong with it */
export function parseRequest(line: Buffer): Request | Failure {
  let value: unknown;
  try {
    value = JSON.parse(line.toString('utf8'));
  } catch {
    return failure(EXIT.usage, 'expected a JSON object');
  }
  if (!isPlainMap(value)) return failure(EXIT.usage, 'expected a JSON object');
  if (value['version'] !== PROTOCOL_VERSION) {
    return failure(
      EXIT.usage,
      `expected "version": ${PROTOCOL_VERSION}, the protocol that this nodeland speaks`,
    );
  }
  const parsed = requestSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  return failure(EXIT.usage, `${issue.path.map(String).join('.') || 'request'}: ${issue.message}`);
}

/** parseAnswer reads a line; undefined when it is none. */
export function parseAnswer(line: string): Answer | undefined {
  try {
    return answerSchema.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}

export function failure(code: ExitCode, error: string): Failure {
  return { version: PROTOCOL_VERSION, ok: false, code, error };
}
