/** HOT PATH: no allocation, no exceptions. */
import type { Slot } from '../../shm/slot.js';

/**
 * SlotHeap is a run queue ordered by (key, order of arrival): a binary heap in preallocated typed arrays. push and pop
 * are O(log n), the rest O(1). It holds each slot at most once. Keys are read from an array indexed by slot that the
 * owner fills before it pushes and leaves alone while the slot is queued: a number passed as an argument may get boxed.
 */
export class SlotHeap {
  size = 0;
  private readonly keyOf: Float64Array;
  private readonly keys: Float64Array;
  private readonly slots: Uint32Array;
  /** Order of arrival, int32 with wrap-around: only differences count, and fewer than 2^31 are queued. */
  private readonly arrivals: Int32Array;
  private arrival = 0;

  constructor(nrSlots: number, keyOf: Float64Array) {
    this.keyOf = keyOf;
    this.keys = new Float64Array(nrSlots);
    this.slots = new Uint32Array(nrSlots);
    this.arrivals = new Int32Array(nrSlots);
  }

  /** first is the slot that pop would return. The heap must not be empty. */
  first(): Slot {
    return this.slots[0] as Slot;
  }

  /** push adds a slot that is not in the heap, at keyOf[slot]. */
  push(slot: Slot): void {
    const { keys, slots, arrivals } = this;
    const key = this.keyOf[slot];
    let hole = this.size++;
    // A newcomer arrived after everything queued, so equal keys stay where they are.
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (keys[parent] <= key) break;
      keys[hole] = keys[parent];
      slots[hole] = slots[parent];
      arrivals[hole] = arrivals[parent];
      hole = parent;
    }
    keys[hole] = key;
    slots[hole] = slot;
    arrivals[hole] = this.arrival;
    this.arrival = (this.arrival + 1) | 0;
  }

  /** pop takes the slot with the smallest key, the earliest of equals. The heap must not be empty. */
  pop(): Slot {
    const { keys, slots, arrivals } = this;
    const top = slots[0] as Slot;
    const last = --this.size;
    const key = keys[last];
    const arrival = arrivals[last];
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= last) break;
      const right = child + 1;
      if (right < last) {
        const difference = keys[right] - keys[child];
        if (difference < 0 || (difference === 0 && ((arrivals[right] - arrivals[child]) | 0) < 0))
          child = right;
      }
      const childKey = keys[child];
      if (childKey > key || (childKey === key && ((arrivals[child] - arrival) | 0) >= 0)) break;
      keys[hole] = childKey;
      slots[hole] = slots[child];
      arrivals[hole] = arrivals[child];
      hole = child;
    }
    keys[hole] = key;
    slots[hole] = slots[last];
    arrivals[hole] = arrival;
    return top;
  }
}
