/** HOT PATH (dispatch): no allocation, no exceptions. */
import type { Slot } from '../../shm/slot.js';
import type { Decisions, Policy, PolicyContext } from '../policy.js';
import { SlotHeap } from '../queues/slot-heap.js';

/** EarliestFirst is the base of policies that decide the task with the smallest key first. */
export abstract class EarliestFirst implements Policy {
  protected readonly decisions: Decisions;
  /** Indexed by slot. To be written before the slot is pushed. */
  protected readonly keyNs: Float64Array;
  protected readonly queue: SlotHeap;

  protected constructor(context: Pick<PolicyContext, 'decisions' | 'nrSlots'>) {
    this.decisions = context.decisions;
    this.keyNs = context.decisions.keyNs;
    this.queue = new SlotHeap(context.nrSlots, this.keyNs);
  }

  abstract enqueue(slot: Slot): void;

  /** decide publishes a task's decision. */
  protected abstract decide(slot: Slot): void;

  /**
   * The kernel side's queue orders what is published, so order matters here only when not all of it can be: O(1) for each
   * task, or else O(log n).
   */
  dispatch(room: number): void {
    const { queue } = this;
    const { size } = queue;
    if (size <= room) {
      for (let index = 0; index < size; index++) this.decide(queue.at(index));
      queue.clear();
    } else {
      for (let left = room; left > 0; left--) this.decide(queue.pop());
    }
  }
}
