/** HOT PATH: no allocation, no exceptions. */
import type { Slot } from '../../shm/slot.js';

/**
 * SlotHeap is a run queue ordered by (key, order of arrival): a binary heap in preallocated typed arrays that sorts only
 * when it is asked to. push, at and clear are O(1), pop and top are O(log n) plus what was pushed since the last, at O(log n)
 * each. It holds each slot at most once. Keys are read from an array indexed by slot, which the owner fills before it
 * pushes and leaves alone while the slot is queued.
 */
export class SlotHeap {
  size = 0;
  /** Entries below this are a heap; the others are as they came. */
  private ordered = 0;
  private readonly keyOf: Float64Array;
  private readonly slots: Uint32Array;
  /** One more than there are slots: behind the last entry lies what no entry comes after. */
  private readonly keys: Float64Array;
  /** By slot. Order of arrival, int32 with wrap-around: only differences count, and fewer than 2^31 are queued. */
  private readonly arrivalOf: Int32Array;
  private arrival = 0;

  constructor(nrSlots: number, keyOf: Float64Array) {
    this.keyOf = keyOf;
    // fill touches the pages, which a new array does not.
    this.slots = new Uint32Array(nrSlots).fill(0);
    this.keys = new Float64Array(nrSlots + 1).fill(0);
    this.arrivalOf = new Int32Array(nrSlots).fill(0);
  }

  /** push adds a slot that is not queued. */
  push(slot: Slot): void {
    const { size } = this;
    this.slots[size] = slot;
    this.size = (size + 1) | 0;
  }

  /** at looks at the index-th slot, in no particular order; for an owner who takes all of them and then clears. */
  at(index: number): Slot {
    return (this.slots[index] | 0) as Slot;
  }

  clear(): void {
    this.size = 0;
    this.ordered = 0;
  }

  /** top looks at the slot that pop would take. The queue must not be empty. */
  top(): Slot {
    while (this.ordered < this.size) this.siftUp(this.ordered++);
    return (this.slots[0] | 0) as Slot;
  }

  /** pop takes the slot with the smallest key, the earliest of equals. The queue must not be empty. */
  pop(): Slot {
    while (this.ordered < this.size) this.siftUp(this.ordered++);
    const top = this.slots[0] as Slot;
    this.ordered = --this.size;
    if (this.size > 0) this.siftDown();
    return top;
  }

  private siftUp(from: number): void {
    const { keys, slots } = this;
    const slot = slots[from];
    const key = this.keyOf[slot];
    let hole = from;
    // A newcomer arrived after all that are ordered, so equal keys stay where they are.
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (keys[parent] <= key) break;
      keys[hole] = keys[parent];
      slots[hole] = slots[parent];
      hole = parent;
    }
    keys[hole] = key;
    slots[hole] = slot;
    this.arrivalOf[slot] = this.arrival;
    this.arrival = (this.arrival + 1) | 0;
  }

  /** The entry just behind the heap takes the place of the one at the top. */
  private siftDown(): void {
    const { keys, slots } = this;
    const last = this.size;
    const key = keys[last];
    const slot = slots[last];
    keys[last] = Infinity;
    let hole = 0;
    for (;;) {
      const left = 2 * hole + 1;
      if (left >= last) break;
      const leftKey = keys[left];
      const rightKey = keys[left + 1];
      // Which child comes first cannot be predicted: a number, not a branch.
      let child = (left + (+(rightKey < leftKey) | 0)) | 0;
      if (rightKey === leftKey && left + 1 < last && this.arrivedBefore(slots[left + 1], slots[left]))
        child = left + 1;
      const childKey = keys[child];
      if (childKey > key || (childKey === key && this.arrivedBefore(slot, slots[child]))) break;
      keys[hole] = childKey;
      slots[hole] = slots[child];
      hole = child;
    }
    keys[hole] = key;
    slots[hole] = slot;
  }

  private arrivedBefore(one: number, other: number): boolean {
    return ((this.arrivalOf[one] - this.arrivalOf[other]) | 0) < 0;
  }
}
