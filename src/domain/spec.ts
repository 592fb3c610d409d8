/** What `--domains` can say: how the machine's CPUs are divided among workers. */
import { CpuListError, parseCpuList } from '../topology/cpulist.js';
import type { Cpu } from '../topology/ids.js';

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

  const lists = trimmed.split(';').map((part, index) => {
    try {
      const cpus = parseCpuList(part);
      if (cpus.length > 0) return cpus;
    } catch (error) {
      if (error instanceof CpuListError) throw new DomainSpecError(`domain ${index}: ${error.message}`);
      throw error;
    }
    throw new DomainSpecError(`domain ${index} has no CPU`);
  });
  return { kind: 'lists', lists };
}
