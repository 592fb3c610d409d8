/** HOT PATH (enqueue, dispatch): no allocation, no exceptions. */
import { z } from 'zod';
import { DECISION_FLAG, LIMIT } from '../shm/layout.generated.js';
import type { Slot } from '../shm/slot.js';
import { type Decisions, definePolicy, type DomainClock, type Policy, type PolicyContext } from './policy.js';
import { SlotFifo } from './queues/slot-fifo.js';

const CPU_ANY = LIMIT.CPU_ANY;
/** Neither a tick nor a preemption changes whose turn it is. */
const IN_TURN = DECISION_FLAG.KEEP_KEY | DECISION_FLAG.RUN_OUT;

const options = z.strictObject({
  /** The length of a turn, in microseconds. */
  quantumUs: z.int().min(LIMIT.SLICE_MIN_US).max(LIMIT.SLICE_MAX_US).default(10_000),
});

/**
 * rr is round robin: everybody in turn, each for one quantum, whatever its weight, as POSIX has it for SCHED_RR at one
 * priority. A turn that was interrupted goes on where it stopped, ahead of the others; a task that sleeps gives up the rest
 * of it and waits behind all when it wakes. Keys count up from the domain's clock, as fifo's do.
 */
class RoundRobin implements Policy {
  private readonly queue: SlotFifo;
  private readonly decisions: Decisions;
  private readonly keyNs: Float64Array;
  private readonly clock: DomainClock;
  private readonly quantumUs: number;
  /** [0]: the last key given out. */
  private readonly last = new Float64Array(1);

  constructor(context: PolicyContext<z.output<typeof options>>) {
    this.queue = new SlotFifo(context.nrSlots);
    this.decisions = context.decisions;
    this.keyNs = context.decisions.keyNs;
    this.clock = context.clock;
    this.quantumUs = context.options.quantumUs;
  }

  enqueue(slot: Slot): void {
    this.queue.push(slot);
  }

  dispatch(room: number): void {
    const { queue, decisions, keyNs, quantumUs, last } = this;
    const count = queue.size < room ? queue.size : room;
    const clockNs = this.clock.clockNs();
    let key = clockNs > last[0] ? clockNs : last[0];
    for (let index = 0; index < count; index++) {
      const slot = queue.shift();
      key += 1;
      keyNs[slot] = key;
      decisions.publish(slot, quantumUs, CPU_ANY, IN_TURN);
    }
    last[0] = key;
  }
}

export default definePolicy({
  name: 'rr',
  summary: 'round robin: everybody in turn for one quantum',
  options,
  standing: 'none',
  weights: 'ignored',
  create: (context) => new RoundRobin(context),
});
