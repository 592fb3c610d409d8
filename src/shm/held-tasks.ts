/**
 * HOT PATH: no allocation, no exceptions.
 *
 * The tasks a worker has taken from its ring and not yet decided. A decision must name the very wait it answers
 * (slot, generation, enqueue count), so those are copied here when the record is taken: the slot's own words may
 * already belong to a later wait.
 */
import type { Slot } from './slot.js';

const HELD = 1 << 24;
const FLAGS_MASK = 0xff;

/** HeldTasks is private to one worker. Two words per slot: enqueue count, and generation | flags << 16 | held. */
export class HeldTasks {
  /** How many are held. */
  count = 0;
  private readonly words: Uint32Array;

  constructor(readonly nrSlots: number) {
    // fill touches the pages, which a new array does not.
    this.words = new Uint32Array(nrSlots * 2).fill(0);
  }

  /**
   * take notes a record. It returns false when the policy must not be told: the slot number is out of range, or the
   * policy has the task already (its earlier wait was broken off; the decision to come answers the new one).
   */
  take(slot: Slot, enq: number, stamp: number): boolean {
    if (slot >= this.nrSlots) return false;
    const at = slot << 1;
    const words = this.words;
    const isNew = (words[at + 1] & HELD) === 0;
    words[at] = enq;
    words[at + 1] = (stamp & 0xffffff) | HELD;
    if (isNew) this.count++;
    return isNew;
  }

  /** drop ends the holding. It returns false when the task was not held. */
  drop(slot: Slot): boolean {
    const at = (slot << 1) + 1;
    if (slot >= this.nrSlots || (this.words[at] & HELD) === 0) return false;
    this.words[at] &= ~HELD;
    this.count--;
    return true;
  }

  holds(slot: Slot): boolean {
    return slot < this.nrSlots && (this.words[(slot << 1) + 1] & HELD) !== 0;
  }

  enq(slot: Slot): number {
    return this.words[slot << 1];
  }

  generation(slot: Slot): number {
    return this.words[(slot << 1) + 1] & 0xffff;
  }

  /** flags are the record's (TASK_FLAG): why it was asked. */
  flags(slot: Slot): number {
    return (this.words[(slot << 1) + 1] >>> 16) & FLAGS_MASK;
  }
}
