/**
 * HOT PATH: no allocation, no exceptions.
 *
 * The tasks a worker has taken from its ring and not yet decided. A decision must name the very wait it answers
 * (slot, generation, enqueue count), so those are copied here when the record is taken: the slot's own words may
 * already belong to a later wait.
 */
import type { Slot } from './slot.js';

/** NOTE is what the second note of a slot is made of: the record's stamp, and a bit while the task is held. */
export const NOTE = { held: 1 << 24, stampMask: 0xffffff } as const;

const HELD = NOTE.held;
const FLAGS_MASK = 0xff;
const GENERATION_MASK = 0xffff;

/** HeldTasks is private to one worker. Two words per slot: enqueue count, and generation | flags << 16 | held. */
export class HeldTasks {
  /** How many are held. */
  count = 0;
  /** Two words per slot: enqueue count, and generation | flags << 16 | held ({@link NOTE}). TaskRing.take and DecisionRing.put write them. */
  readonly notes: Uint32Array;

  constructor(readonly nrSlots: number) {
    // fill touches the pages, which a new array does not.
    this.notes = new Uint32Array(nrSlots * 2).fill(0);
  }

  holds(slot: Slot): boolean {
    return slot >= 0 && slot < this.nrSlots && (this.notes[((slot << 1) + 1) | 0] & HELD) !== 0;
  }

  /** drop ends the holding of a task that waits no longer; false when this very wait is not held. */
  drop(slot: Slot, enq: number, generation: number): boolean {
    const { notes } = this;
    const at = (slot << 1) | 0;
    const note = notes[at | 1] | 0;
    if ((note & HELD) === 0 || (note & GENERATION_MASK) !== generation || (notes[at] | 0) !== enq)
      return false;
    notes[at | 1] = note & NOTE.stampMask;
    this.count = (this.count - 1) | 0;
    return true;
  }

  /** generation is that of the task that was held last in this slot. */
  generation(slot: Slot): number {
    return this.notes[((slot << 1) + 1) | 0] & GENERATION_MASK;
  }

  /** flags are the record's (TASK_FLAG): why it was asked. */
  flags(slot: Slot): number {
    return (this.notes[((slot << 1) + 1) | 0] >>> 16) & FLAGS_MASK;
  }

  /** forget has every task that is not held be new again, to another policy. */
  forget(): void {
    const { notes } = this;
    for (let at = 1; at < notes.length; at += 2) if ((notes[at] & HELD) === 0) notes[at] ^= GENERATION_MASK;
  }
}
