/** HOT PATH (arrive, keyInto, offsetUs): no allocation, no exceptions. */
import type { Slot } from '../../shm/slot.js';
import type { StateArrays } from '../state.js';

const WEIGHT_DEFAULT = 100;
/** No task is further ahead of the clock than this: keys are taken to within 10 s of the domain's. */
const AHEAD_MAX_NS = 4e9;
/** Longer runs than this count as this. */
const RAN_MAX_NS = 10e9;
const OFFSET_MAX_US = 2_000_000;
const LATER_MAX_NS = 2e9;

/** VTIME_STATE is the per-task state a {@link VtimeClock} needs: spread it into the policy's `state`. */
export const VTIME_STATE = {
  /** Weighted execution time, in the clock of the domain `vtimeHome`. */
  vtimeNs: 'f64',
  /** That clock when the task was there last. */
  vtimeSeenNs: 'f64',
  /** 1 + domain; 0: new. */
  vtimeHome: 'u32',
} as const;

/**
 * VtimeClock is one domain's weighted virtual clock, for policies with weights of their own (the kernel side charges by nice
 * and cgroup weight only). A task's vtime grows by its execution * 100 / weight; the clock follows the vtimes of tasks
 * that began to run, and never goes back (start-time fair queueing: Goyal, Guo, Vin, SIGCOMM 1996, section 2; as
 * scx_simple does). A new task begins one slice late, as CFS placed it (START_DEBIT), so that a stream of new tasks does
 * not hold up those that are there. A task that comes from another domain keeps its lag, not its vtime. Every operation
 * is O(1).
 */
export class VtimeClock {
  /** [0]: now. An array, because a double in a field is boxed at each store. */
  private readonly now = new Float64Array(1);
  private readonly vtimeNs: Float64Array;
  private readonly seenNs: Float64Array;
  private readonly home: Uint32Array;
  private readonly here: number;
  private readonly sliceNs: number;

  constructor(state: StateArrays<typeof VTIME_STATE>, domain: number, sliceUs: number) {
    this.vtimeNs = state.vtimeNs;
    this.seenNs = state.vtimeSeenNs;
    this.home = state.vtimeHome;
    this.here = domain + 1;
    this.sliceNs = sliceUs * 1000;
  }

  nowNs(): number {
    return this.now[0];
  }

  /** lagNs is how far a task is ahead of the clock (more than 0: it has had more than its share). */
  lagNs(slot: Slot): number {
    return this.vtimeNs[slot] - this.now[0];
  }

  /**
   * arrive accounts what a task ran since it was decided last. Call it once for each wait.
   *
   * @param weight - 1 or more; 100 is ordinary
   * @param boostNs - how much earlier than by its vtime it was queued last: not a reason for the clock to move
   * @param keepNs - it keeps at most so much of a claim to time it did not use: a slice or so for one that slept
   */
  arrive(slot: Slot, ranNs: number, weight: number, boostNs: number, keepNs: number): void {
    const { now, vtimeNs, home } = this;
    const divisor = weight < 1 ? 1 : weight;
    let vtime = vtimeNs[slot];
    if (home[slot] !== this.here) {
      if (home[slot] === 0) vtime = now[0] + (this.sliceNs * WEIGHT_DEFAULT) / divisor;
      else vtime = now[0] + (vtime - this.seenNs[slot]);
      home[slot] = this.here;
    } else if (vtime - boostNs > now[0]) {
      now[0] = vtime - boostNs;
    }
    vtime += ((ranNs < RAN_MAX_NS ? ranNs : RAN_MAX_NS) * WEIGHT_DEFAULT) / divisor;
    if (vtime < now[0] - keepNs) vtime = now[0] - keepNs;
    else if (vtime > now[0] + AHEAD_MAX_NS) vtime = now[0] + AHEAD_MAX_NS;
    vtimeNs[slot] = vtime;
    this.seenNs[slot] = now[0];
  }

  /**
   * keyInto writes a task's place in the kernel side's queue into keyNs[slot]: the domain's clock, plus its lag, plus
   * `laterNs`. Lags are compared and not vtimes, because the two clocks go at different speeds.
   */
  keyInto(slot: Slot, domainClockNs: number, laterNs: number, keyNs: Float64Array): void {
    const key = Math.floor(domainClockNs + this.vtimeNs[slot] - this.now[0] + laterNs);
    keyNs[slot] = key > 0 ? key : 0;
  }

  /**
   * offsetUs is what a standing order adds to the deadline of a task that wakes with `lagUs` of lag, so that it comes where
   * {@link keyInto} would put it.
   */
  offsetUs(slot: Slot, lagUs: number, laterNs: number): number {
    const later = laterNs < LATER_MAX_NS ? laterNs : LATER_MAX_NS;
    const offset = (this.vtimeNs[slot] - this.now[0] + later) / 1000 + lagUs;
    if (!(offset > 0)) return 0;
    return offset < OFFSET_MAX_US ? offset | 0 : OFFSET_MAX_US;
  }
}
