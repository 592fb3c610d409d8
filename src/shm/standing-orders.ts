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
const SLOT_SHIFT = 6;
const HIGH = 2 ** 32;
const NS_PER_MS = 1e6;

/** StandingOrders writes the order part of slots. One per worker. */
export class StandingOrders {
  private readonly words: Uint32Array;
  private readonly slotsWord: number;
  /** Starts anywhere, so that a restarted worker does not repeat the serial its predecessor left in a slot. */
  private serial = (Math.random() * 2 ** 32) | 0;

  constructor(arena: Arena) {
    this.words = arena.words;
    this.slotsWord = arena.slotsWord;
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
    const words = this.words;
    const slotAt = this.slotsWord + (slot << SLOT_SHIFT);
    const at = slotAt + ORDER_AT;
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
  }

  /** withdraw takes the order back: the task's next wake-up is asked. */
  withdraw(slot: Slot): void {
    this.words[this.slotsWord + (slot << SLOT_SHIFT) + ORDER_AT + W.serial] = 0;
  }
}
