/**
 * HOT PATH: no allocation, no exceptions, one kind of view.
 *
 * Standing orders: decisions left in the task's slot for its next wake-ups.
 *   1. The worker writes only while it holds the task, so at most one worker writes an order.
 *   2. serial = 0 first: a reader that comes now finds no order.
 *   3. The other fields.
 *   4. A new serial last. The decision published afterwards (an atomic store) orders all of it before any reader that
 *      saw the decision. A reader that wakes the task without having seen it may, on a weakly ordered machine,
 *      read half an order: it clamps every field, so that this costs one wake-up's order, nothing else.
 */
import { ORDER, SLOT } from './layout.generated.js';
import type { Arena } from './arena.js';
import type { Slot } from './slot.js';

const W = ORDER.word;
const ORDER_AT = SLOT.word.order;
const ENQUEUED = SLOT.word.enqueuedNs;
const SERIAL_AT = ORDER_AT + W.serial;
const SLOT_SHIFT = 6;
const HIGH = 2 ** 32;
const NS_PER_MS = 1e6;
/** A time in ticks of 2^20 ns, about a millisecond, as int32 with wrap-around: only differences count. */
const TICK_LOW_SHIFT = 20;
const TICK_HIGH_SHIFT = 12;
/** What is remembered of the order left last, per slot: its serial, when half its time is over, its slice. */
const NOTE_SHIFT = 2;
const SERIAL = 0;
const HALF_TICKS = 1;
const SLICE_US = 2;

/** StandingOrders writes the order part of slots. One per worker. */
export class StandingOrders {
  private readonly words: Uint32Array;
  private readonly slotsWord: number;
  /** Starts anywhere, so that a restarted worker does not repeat the serial its predecessor left in a slot. */
  private serial = (Math.random() * 2 ** 32) | 0;

  private readonly notes: Int32Array;

  constructor(arena: Arena) {
    this.words = arena.words;
    this.slotsWord = arena.slotsWord;
    // fill touches the pages, which a new array does not.
    this.notes = new Int32Array(arena.nrSlots << NOTE_SHIFT).fill(0);
  }

  /**
   * leave writes an order; the fields are those of struct nl_order, except that it expires `validMs` after the task's last
   * enqueue.
   */
  leave(
    slot: Slot,
    wakes: number,
    validMs: number,
    lagUs: number,
    offsetUs: number,
    execCapUs: number,
    sliceUs: number,
    cpu: number,
    flags: number,
  ): void {
    const { words, notes } = this;
    const slotAt = (this.slotsWord + (slot << SLOT_SHIFT)) | 0;
    const at = (slotAt + ORDER_AT) | 0;
    words[at + W.serial] = 0;
    words[at + W.wakes] = wakes;
    words[at + W.expiresMs] =
      (words[slotAt + ENQUEUED] + words[slotAt + ENQUEUED + 1] * HIGH) / NS_PER_MS + validMs;
    words[at + W.flags] = flags;
    words[at + W.lagUs] = lagUs;
    words[at + W.offsetUs] = offsetUs;
    words[at + W.execCapUs] = execCapUs;
    words[at + W.sliceUs] = sliceUs;
    words[at + W.cpu] = cpu;
    this.serial = (this.serial + 1) | 0 || 1;
    words[at + W.serial] = this.serial;
    const note = slot << NOTE_SHIFT;
    notes[note + SERIAL] = this.serial;
    notes[note + HALF_TICKS] = (this.enqueuedTicks(slotAt) + (validMs >>> 1)) | 0;
    notes[note + SLICE_US] = sliceUs;
  }

  /**
   * stands tells whether the order left last by this worker still lies in the slot with that slice, and half its time is to
   * go. The kernel side takes an order away (serial 0) when the slot gets another task, and another domain's worker puts
   * its own serial there, so neither is mistaken for ours. Its wakes are not counted: TASK_FLAG.ORDER_ENDED tells.
   */
  stands(slot: Slot, sliceUs: number): boolean {
    const { words, notes } = this;
    const slotAt = (this.slotsWord + (slot << SLOT_SHIFT)) | 0;
    const note = slot << NOTE_SHIFT;
    const serial = notes[note | SERIAL] | 0;
    if (serial === 0 || (words[(slotAt + SERIAL_AT) | 0] | 0) !== serial) return false;
    if (notes[note | SLICE_US] !== sliceUs) return false;
    return ((notes[note | HALF_TICKS] - this.enqueuedTicks(slotAt)) | 0) > 0;
  }

  private enqueuedTicks(slotAt: number): number {
    const low = this.words[(slotAt + ENQUEUED) | 0];
    return (this.words[(slotAt + ENQUEUED + 1) | 0] << TICK_HIGH_SHIFT) | (low >>> TICK_LOW_SHIFT);
  }

  /** withdraw takes the order back: the task's next wake-up is asked. */
  withdraw(slot: Slot): void {
    this.words[this.slotsWord + (slot << SLOT_SHIFT) + ORDER_AT + W.serial] = 0;
  }
}
