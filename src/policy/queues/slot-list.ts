/** HOT PATH: no allocation, no exceptions. */
import type { Slot } from '../../shm/slot.js';

const OUT = -1;

/**
 * SlotList is a first-in first-out queue of slots from whose midst slots can be taken: a doubly linked list in preallocated
 * arrays. Every operation is O(1). It holds each slot at most once.
 */
export class SlotList {
  size = 0;
  /** Links by slot, to the slot before and after; the list's own head lies behind the slots, so that it is a ring. */
  private readonly before: Int32Array;
  private readonly after: Int32Array;
  private readonly head: number;

  constructor(nrSlots: number) {
    this.head = nrSlots;
    this.before = new Int32Array(nrSlots + 1).fill(OUT);
    this.after = new Int32Array(nrSlots + 1).fill(OUT);
    this.before[nrSlots] = nrSlots;
    this.after[nrSlots] = nrSlots;
  }

  has(slot: Slot): boolean {
    return this.after[slot] !== OUT;
  }

  /** push appends a slot that is not in the list. */
  push(slot: Slot): void {
    const { before, after, head } = this;
    const last = before[head];
    before[slot] = last;
    after[slot] = head;
    after[last] = slot;
    before[head] = slot;
    this.size = (this.size + 1) | 0;
  }

  /** remove takes a slot out; nothing happens when it is not there. */
  remove(slot: Slot): void {
    const { before, after } = this;
    const next = after[slot];
    if (next === OUT) return;
    before[next] = before[slot];
    after[before[slot]] = next;
    after[slot] = OUT;
    this.size = (this.size - 1) | 0;
  }

  /** first is the oldest slot; -1 when the list is empty. */
  first(): number {
    return this.size === 0 ? OUT : this.after[this.head];
  }

  /** next is the one that came after a slot of the list; -1 when that is the newest. */
  next(slot: Slot): number {
    const next = this.after[slot];
    return next === this.head ? OUT : next;
  }
}
