/** What `--domains` can say: how the machine's CPUs are divided among workers. */
import { CpuListError, parseCpuList } from '../topology/cpulist.js';
import { type Cpu, MAX_CPUS, MAX_DOMAINS } from '../topology/ids.js';

const UNITS = ['node', 'llc', 'core', 'one'] as const;

/** A topological unit, one domain per each, or `one` domain for the whole machine. */
export type DomainUnit = (typeof UNITS)[number];

/** DomainSpec is a division asked for, not yet checked against a machine. */
export type DomainSpec =
  { readonly kind: DomainUnit } | { readonly kind: 'lists'; readonly lists: readonly (readonly Cpu[])[] };

/** What a spec must look like, for messages. */
export const DOMAIN_SPEC_SHAPE =
  'node, llc, core, one, or CPU lists separated by semicolons such as 0-3,8-11;4-7';

/** DomainSpecError says why a text is no domain spec. */
export class DomainSpecError extends Error {
  override name = 'DomainSpecError';
}

/**
 * parseDomainSpec reads `node`, `llc`, `core`, `one` or CPU lists separated by semicolons.
 *
 * @throws {@link DomainSpecError} saying which part cannot be read. Whether the CPUs exist is for planDomains.
 */
export function parseDomainSpec(text: string): DomainSpec {
  const trimmed = text.trim();
  const unit = UNITS.find((name) => name === trimmed);
  if (unit) return { kind: unit };
  if (!/^[\d\s,;:/-]+$/.test(trimmed)) throw new DomainSpecError(`expected ${DOMAIN_SPEC_SHAPE}`);

  const parts = trimmed.split(';');
  if (parts.length > MAX_DOMAINS) {
    throw new DomainSpecError(`${parts.length} CPU lists; at most ${MAX_DOMAINS} domains are possible`);
  }
  return { kind: 'lists', lists: parts.map(parseList) };
}

function parseList(part: string, index: number): Cpu[] {
  let cpus: Cpu[];
  try {
    cpus = parseCpuList(part);
  } catch (error) {
    if (error instanceof CpuListError) throw new DomainSpecError(`domain ${index}: ${error.message}`);
    throw error;
  }
  const highest = cpus.at(-1);
  if (highest === undefined) throw new DomainSpecError(`domain ${index} has no CPU`);
  if (highest >= MAX_CPUS) {
    throw new DomainSpecError(
      `domain ${index}: CPU ${highest}; nodeland schedules CPUs 0 to ${MAX_CPUS - 1} only`,
    );
  }
  return cpus;
}
