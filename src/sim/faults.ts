/** What goes wrong in a simulated run, at which time. */
import { z } from 'zod';
import { EXIT, UserError } from '../cli/errors.js';
import { harmless, show } from '../config/issues.js';
import type { SimKernel } from '../kernel/sim.js';
import { MAX_DOMAINS } from '../topology/ids.js';

const common = {
  domain: z.coerce
    .number()
    .int()
    .min(0)
    .max(MAX_DOMAINS - 1),
  atMs: z.coerce.number().min(0),
  forMs: z.coerce.number().positive(),
};

export const faultSchema = z.discriminatedUnion('kind', [
  /** The worker stands still, in its policy or elsewhere. */
  z.strictObject({ kind: z.literal('pause'), ...common }),
  /** Its decisions take so many times as long. */
  z.strictObject({ kind: z.literal('slow'), ...common, factor: z.coerce.number().positive().max(1e6) }),
  /** It dies, and is started again after this time. */
  z.strictObject({ kind: z.literal('crash'), ...common }),
]);

/** SimFault is one fault. Its domain is not yet known to be there. */
export type SimFault = Readonly<z.output<typeof faultSchema>>;

const SHAPE =
  'pause, slow or crash with domain, at-ms and for-ms (and factor for slow), such as pause,domain=1,at-ms=100,for-ms=50';
const KEYS: Readonly<Record<string, string>> = {
  domain: 'domain',
  'at-ms': 'atMs',
  'for-ms': 'forMs',
  factor: 'factor',
};

/** parseFault reads `pause,domain=1,at-ms=100,for-ms=50`. @throws UserError (usage) */
export function parseFault(text: string): SimFault {
  const [kind, ...parts] = text.split(',').map((part) => part.trim());
  const values: Record<string, string> = { kind };
  for (const part of parts) {
    const [, name = '', value = ''] = /^([a-z-]+)=(\d+(?:\.\d+)?)$/.exec(part) ?? [];
    const key = Object.hasOwn(KEYS, name) ? KEYS[name] : undefined;
    if (key === undefined || key in values) throw refusal(text, `: ${show(part)}`);
    values[key] = value;
  }
  const parsed = faultSchema.safeParse(values);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const key = String(issue.path.at(0) ?? 'kind');
  const name = Object.entries(KEYS).find(([, each]) => each === key)?.[0] ?? 'kind';
  throw refusal(text, `: ${name}`);
}

function refusal(text: string, why: string): UserError {
  return new UserError(harmless(`--fault: expected ${SHAPE}; found ${show(text)}${why}`), EXIT.usage);
}

/** planFaults has them happen. `restart` gives a domain a new worker. */
export function planFaults(
  kernel: SimKernel,
  faults: readonly SimFault[],
  restart: (domain: number) => void,
): void {
  for (const fault of faults) {
    const { domain } = fault;
    const untilNs = (fault.atMs + fault.forMs) * 1e6;
    kernel.at(fault.atMs * 1e6, () => {
      switch (fault.kind) {
        case 'pause':
          kernel.timedWorkers[domain].pause(untilNs);
          return;
        case 'slow':
          kernel.timedWorkers[domain].slow(fault.factor, untilNs);
          return;
        case 'crash':
          kernel.detach(domain);
          kernel.at(untilNs, () => {
            restart(domain);
          });
      }
    });
  }
}
