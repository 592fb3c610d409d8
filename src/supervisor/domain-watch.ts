/** Tells in the log how each domain fares: fallbacks with their length, a worker that is gone, a main thread that stood still. */
import type { Domain } from '../domain/plan.js';
import type { Logger } from '../observe/log.js';
import { domainCounters } from '../observe/snapshot.js';
import { type Arena, domainPlace } from '../shm/arena.js';
import { COUNTER, DOMAIN, DOMAIN_STATE } from '../shm/layout.generated.js';

/** A gap between two beats that is worth a warning. */
const SILENCE_MS = 1_000;

/** Seen is what was known of a domain at the last look. */
interface Seen {
  readonly domain: Domain;
  readonly stateWord: number;
  readonly entersWord: number;
  state: number;
  enters: number;
  /** When the last of its fallbacks that was told ended. */
  us: number;
  rescued: number;
}

/**
 * DomainWatch compares what the kernel side says with what it said at the last look. Main thread only. A look at domains
 * where nothing happened allocates nothing: the main thread's collections take CPU time that tasks want.
 */
export class DomainWatch {
  private readonly domains: readonly Seen[];
  private lastBeatMs: number | undefined;

  constructor(
    private readonly arena: Arena,
    domains: readonly Domain[],
    private readonly log: Logger,
  ) {
    this.domains = domains.map((domain) => {
      const { domainWord } = domainPlace(arena, domain.id);
      return {
        domain,
        stateWord: domainWord + DOMAIN.word.state,
        // This one counter is counted by the watch alone, in the domain's own block.
        entersWord: domainWord + DOMAIN.word.counters + COUNTER.FALLBACK_ENTER * 2,
        ...{ state: DOMAIN_STATE.ACTIVE, enters: 0, us: 0, rescued: 0 },
      };
    });
  }

  /** beat looks once; call it with every heartbeat. */
  beat(nowMs: number): void {
    const gapMs = nowMs - (this.lastBeatMs ?? nowMs);
    this.lastBeatMs = nowMs;
    if (gapMs > SILENCE_MS) {
      this.log.warn(
        { gapMs },
        `the main thread stood still for ${(gapMs / 1000).toFixed(1)} s; workers went on`,
      );
    }
    const { words } = this.arena;
    for (const seen of this.domains) {
      const state = words[seen.stateWord];
      const enters = words[seen.entersWord];
      if (state !== seen.state || (enters !== seen.enters && state === DOMAIN_STATE.ACTIVE)) {
        this.tell(seen, state);
        seen.state = state;
        seen.enters = enters;
      }
    }
  }

  private tell(seen: Seen, state: number): void {
    const { log } = this;
    const { name, id } = seen.domain;
    if (state !== DOMAIN_STATE.ACTIVE) {
      const why = state === DOMAIN_STATE.FALLBACK ? 'stalled' : 'gone';
      log.warn({ domain: name }, `domain ${name} is scheduled in the kernel: its worker is ${why}`);
      return;
    }
    const { fallback_us: us, rescued } = domainCounters(this.arena, id);
    const ms = Math.round((us - seen.us) / 1000);
    const cost = `${ms} ms, ${rescued - seen.rescued} tasks rescued`;
    seen.us = us;
    seen.rescued = rescued;
    if (seen.state === DOMAIN_STATE.ABSENT) {
      log.info({ domain: name }, `domain ${name} is scheduled by its worker again`);
    } else if (seen.state === DOMAIN_STATE.FALLBACK) {
      log.info({ domain: name, ms }, `domain ${name} is scheduled by its worker again after ${cost}`);
    } else {
      log.warn(
        { domain: name, ms },
        `domain ${name} was scheduled in the kernel, its worker was stalled: ${cost}`,
      );
    }
  }
}
