/** HOT PATH (enqueue, dispatch): no allocation, no exceptions. */
import { DECISION_FLAG, LIMIT } from '../../shm/layout.generated.js';
import type { Slot } from '../../shm/slot.js';
import type { Decisions, DomainClock, Policy, PolicyContext } from '../policy.js';
import { SlotFifo } from '../queues/slot-fifo.js';

const CPU_ANY = LIMIT.CPU_ANY;
/** Neither a tick nor a preemption changes whose turn it is. */
const IN_TURN = DECISION_FLAG.KEEP_KEY | DECISION_FLAG.RUN_OUT;

/**
 * InTurn runs tasks in the order in which they asked, each for the same slice. Keys count up from the domain's clock, so
 * that the kernel side's own queueing (a full ring, a fallback) mixes with them fairly. Every operation is O(1).
 */
export class InTurn implements Policy {
  private readonly queue: SlotFifo;
  private readonly decisions: Decisions;
  private readonly keyNs: Float64Array;
  private readonly clock: DomainClock;
  /** [0]: the last key given out. */
  private readonly last = new Float64Array(1);

  constructor(
    context: PolicyContext,
    private readonly sliceUs: number,
  ) {
    this.queue = new SlotFifo(context.nrSlots);
    this.decisions = context.decisions;
    this.keyNs = context.decisions.keyNs;
    this.clock = context.clock;
  }

  enqueue(slot: Slot): void {
    this.queue.push(slot);
  }

  dispatch(room: number): void {
    const { queue, decisions, keyNs, sliceUs, last } = this;
    const count = queue.size < room ? queue.size : room;
    const clockNs = this.clock.clockNs();
    let key = clockNs > last[0] ? clockNs : last[0];
    for (let index = 0; index < count; index++) {
      const slot = queue.shift();
      key += 1;
      keyNs[slot] = key;
      decisions.publish(slot, sliceUs, CPU_ANY, IN_TURN);
    }
    last[0] = key;
  }
}
