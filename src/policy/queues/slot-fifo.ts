/** HOT PATH: no allocation, no exceptions. */
import type { Slot } from '../../shm/slot.js';

/**
 * SlotFifo is a first-in first-out queue of slots in a preallocated ring. Every operation is O(1). It holds each slot at
 * most once, so the number of slots is capacity enough.
 */
export class SlotFifo {
  private readonly ring: Uint32Array;
  private readonly mask: number;
  private first = 0;
  size = 0;

  constructor(nrSlots: number) {
    let capacity = 1;
    while (capacity < nrSlots) capacity *= 2;
    this.ring = new Uint32Array(capacity).fill(0);
    this.mask = capacity - 1;
  }

  /** push appends a slot that is not in the queue. */
  push(slot: Slot): void {
    this.ring[(this.first + this.size) & this.mask] = slot;
    this.size = (this.size + 1) | 0;
  }

  /** shift takes the oldest slot. The queue must not be empty. */
  shift(): Slot {
    const slot = (this.ring[this.first] | 0) as Slot;
    this.first = (this.first + 1) & this.mask;
    this.size = (this.size - 1) | 0;
    return slot;
  }
}
