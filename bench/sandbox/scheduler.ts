/** The schedulers that `bench sandbox` compares, from its options, and their order within a round. Pure. */
import { InvalidArgumentError } from 'commander';
import { EXIT, UserError } from '../../src/cli/errors.js';
import { BUILTIN_POLICY_NAMES, DEFAULT_POLICY } from '../../src/policy/builtin-names.js';

/** Peer is another scheduler: a command that attaches one and detaches it on SIGINT. */
export interface Peer {
  readonly name: string;
  /** For a shell inside the machine. */
  readonly command: string;
}

/** Scheduler is one of those compared; `name` is what tables and results call it. */
export type Scheduler =
  | { readonly kind: 'kernel'; readonly name: string }
  /** With the options of `nodeland run`. */
  | { readonly kind: 'nodeland'; readonly name: string; readonly options: readonly string[] }
  | ({ readonly kind: 'peer' } & Peer);

/** EEVDF is the kernel's own scheduler, which the others are compared with. */
export const EEVDF = 'EEVDF';

/** schedulersOf lists what is compared. @throws UserError when two have one name */
export function schedulersOf(
  policies: readonly string[],
  runOptions: readonly string[],
  peers: readonly Peer[],
): Scheduler[] {
  const schedulers: Scheduler[] = [
    { kind: 'kernel', name: EEVDF },
    ...policies.map((policy) => ({
      kind: 'nodeland' as const,
      name: nameOf(policy),
      options: ['--policy', policy, ...runOptions],
    })),
    ...peers.map((peer) => ({ kind: 'peer' as const, ...peer })),
  ];
  const names = schedulers.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new UserError(`two schedulers are called ${twice}`, EXIT.usage);
  return schedulers;
}

/** The default policy's figures keep the name that earlier results have. */
const nameOf = (policy: string): string => (policy === DEFAULT_POLICY ? 'nodeland' : `nodeland ${policy}`);

/** inTurn gives the order of a round: each is first once before any is first again. */
export function inTurn<Entry>(entries: readonly Entry[], round: number): Entry[] {
  const first = entries.length === 0 ? 0 : round % entries.length;
  return [...entries.slice(first), ...entries.slice(0, first)];
}

/** parsePolicies reads `--policies`. @throws InvalidArgumentError that names what there is */
export function parsePolicies(text: string): string[] {
  return namesOf('policy', BUILTIN_POLICY_NAMES)(text);
}

/**
 * namesOf reads a list of known names with commas between, or `all`; each is taken once.
 *
 * @throws InvalidArgumentError from the function it gives
 */
export function namesOf(what: string, known: readonly string[]): (text: string) => string[] {
  return (text) => {
    const names = text === 'all' ? [...known] : [...new Set(text.split(','))];
    const unknown = names.find((name) => !known.includes(name));
    if (unknown === undefined) return names;
    throw new InvalidArgumentError(`there is no ${what} "${unknown}"; there are ${known.join(', ')}`);
  };
}

/** parsePeer reads one `--peer NAME=COMMAND` and adds it to those before it. @throws InvalidArgumentError */
export function parsePeer(text: string, before: readonly Peer[] = []): Peer[] {
  const parts = /^([\w.+-]+)=(.*\S.*)$/s.exec(text);
  if (parts !== null) return [...before, { name: parts[1], command: parts[2] }];
  throw new InvalidArgumentError(
    'expected NAME=COMMAND; NAME of letters, digits, dots, dashes and underscores',
  );
}
