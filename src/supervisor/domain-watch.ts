/** Tells in the log how each domain fares: fallbacks with their length, a worker that is gone, a main thread that stood still. */
import type { Domain } from '../domain/plan.js';
import type { Logger } from '../observe/log.js';
import { domainCounters, domainState } from '../observe/snapshot.js';
import type { Arena } from '../shm/arena.js';

/** A gap between two beats that is worth a warning. */
const SILENCE_MS = 1_000;

interface Seen {
  state: ReturnType<typeof domainState>;
  enters: number;
  us: number;
  rescued: number;
}

/** DomainWatch compares what the kernel side says with what it said at the last look. Main thread only. */
export class DomainWatch {
  private readonly seen = new Map<number, Seen>();
  private lastBeatMs: number | undefined;

  constructor(
    private readonly arena: Arena,
    private readonly domains: readonly Domain[],
    private readonly log: Logger,
  ) {}

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
    for (const domain of this.domains) this.look(domain);
  }

  private look({ id, name }: Domain): void {
    const { arena, log } = this;
    const state = domainState(arena, id);
    const before = this.seen.get(id) ?? { state: 'active', enters: 0, us: 0, rescued: 0 };
    const { fallback_enter: enters, fallback_us: us, rescued } = domainCounters(arena, id);
    this.seen.set(id, { state, enters, us, rescued });
    const ms = Math.round((us - before.us) / 1000);
    const cost = `${ms} ms, ${rescued - before.rescued} tasks rescued`;
    if (state === 'active') {
      if (before.state === 'absent') {
        log.info({ domain: name }, `domain ${name} is scheduled by its worker again`);
      } else if (before.state === 'fallback') {
        log.info({ domain: name, ms }, `domain ${name} is scheduled by its worker again after ${cost}`);
      } else if (enters !== before.enters) {
        log.warn(
          { domain: name, ms },
          `domain ${name} was scheduled in the kernel: its worker was stalled: ${cost}`,
        );
      }
    } else if (state !== before.state) {
      const why = state === 'fallback' ? 'stalled' : 'gone';
      log.warn({ domain: name, state }, `domain ${name} is scheduled in the kernel: its worker is ${why}`);
      // What it cost so far is told at the end.
      this.seen.set(id, { state, enters, us: before.us, rescued: before.rescued });
    } else {
      this.seen.set(id, { ...before, state });
    }
  }
}
