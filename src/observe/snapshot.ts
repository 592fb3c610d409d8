/** What the shared memory says at one moment, read by the main thread. Not for hot paths. */
import { type Arena, domainPlace, readU64 } from '../shm/arena.js';
import {
  COUNTER_NAMES,
  CPU,
  DOMAIN,
  DOMAIN_STATE_NAMES,
  HEADER,
  HIST_NAMES,
  LIMIT,
  WORKER_STAT_NAMES,
} from '../shm/layout.generated.js';
import type { Histogram } from './histogram.js';

export type CounterName = (typeof COUNTER_NAMES)[number];
export type HistName = (typeof HIST_NAMES)[number];
export type WorkerStatName = (typeof WORKER_STAT_NAMES)[number];

/** DomainSnapshot is one domain's numbers, all counted since attach. */
export interface DomainSnapshot {
  readonly domain: number;
  readonly state: (typeof DOMAIN_STATE_NAMES)[number];
  readonly idleCpus: number;
  /** Tasks in the ring, not yet taken. */
  readonly asking: number;
  readonly counters: Readonly<Record<CounterName, number>>;
  /** User tasks that began to run here and ran last in another domain, by that domain. */
  readonly movedFrom: readonly number[];
  readonly worker: Readonly<Record<WorkerStatName, number>>;
  readonly hists: Readonly<Record<HistName, Histogram>>;
}

export interface Snapshot {
  readonly slotsUsed: number;
  /** Times the main thread was silent for more than a second. */
  readonly heartbeatLate: number;
  readonly domains: readonly DomainSnapshot[];
}

/** takeSnapshot adds up every domain's own counters and those its CPUs keep. */
export function takeSnapshot(arena: Arena): Snapshot {
  const { words } = arena;
  return {
    slotsUsed: words[HEADER.word.slotsUsed],
    heartbeatLate: words[HEADER.word.heartbeatLate],
    domains: Array.from({ length: arena.nrDomains }, (_, domain) => domainSnapshot(arena, domain)),
  };
}

/** domainState is how a domain is scheduled now. */
export function domainState(arena: Arena, domain: number): DomainSnapshot['state'] {
  const { domainWord } = domainPlace(arena, domain);
  return DOMAIN_STATE_NAMES[arena.words[domainWord + DOMAIN.word.state]] ?? 'absent';
}

/** domainCounters adds up a domain's own counters and those its CPUs keep. */
export function domainCounters(arena: Arena, domain: number): DomainSnapshot['counters'] {
  const { words } = arena;
  const { domainWord } = domainPlace(arena, domain);
  const cpuWords = cpuWordsOf(arena, domain);
  return byName(COUNTER_NAMES, (index) =>
    cpuWords.reduce(
      (sum, cpuWord) => sum + readU64(words, cpuWord + CPU.word.counters + index * 2),
      readU64(words, domainWord + DOMAIN.word.counters + index * 2),
    ),
  );
}

/** Where the states of the domain's CPUs lie. */
function cpuWordsOf({ words, nrCpus, cpusWord }: Arena, domain: number): number[] {
  const found: number[] = [];
  for (let cpu = 0; cpu < nrCpus; cpu++) {
    const cpuWord = cpusWord + cpu * CPU.words;
    if (words[cpuWord + CPU.word.domain] === domain) found.push(cpuWord);
  }
  return found;
}

function domainSnapshot(arena: Arena, domain: number): DomainSnapshot {
  const { words } = arena;
  const { domainWord } = domainPlace(arena, domain);
  const field = (name: keyof typeof DOMAIN.word): number => words[domainWord + DOMAIN.word[name]];
  const cpuWords = cpuWordsOf(arena, domain);
  const hist = (index: number): Histogram =>
    Float64Array.from({ length: LIMIT.HIST_BUCKETS }, (_, bucket) =>
      cpuWords.reduce(
        (sum, cpuWord) => sum + words[cpuWord + CPU.word.hist + index * LIMIT.HIST_BUCKETS + bucket],
        0,
      ),
    );
  return {
    domain,
    state: domainState(arena, domain),
    idleCpus: field('nrIdle'),
    asking: (field('taskTail') - field('taskHead')) >>> 0,
    counters: domainCounters(arena, domain),
    movedFrom: Array.from({ length: arena.nrDomains }, (_, from) =>
      cpuWords.reduce((sum, cpuWord) => sum + words[cpuWord + CPU.word.movedFrom + from], 0),
    ),
    worker: byName(WORKER_STAT_NAMES, (index) =>
      readU64(words, domainWord + DOMAIN.word.workerStats + index * 2),
    ),
    hists: byName(HIST_NAMES, hist),
  };
}

function byName<Name extends string, Value>(
  names: readonly Name[],
  value: (index: number) => Value,
): Record<Name, Value> {
  return Object.fromEntries(names.map((name, index) => [name, value(index)])) as Record<Name, Value>;
}
