/**
 * HOT PATH: no allocation, no exceptions, one kind of view, one compare-and-swap per batch on the sender's side and one
 * store per batch on the receiver's.
 *
 * A domain's inbox: tasks that other domains' workers hand over. Many write, its worker reads. Like the task ring, a
 * place is named by its position, an int32 that wraps, and entry position & mask lies there.
 *
 * Sender:
 *   1. Loads tail, then head. room = size - (tail - head). Heads only grow, so an old one makes the room smaller.
 *   2. Compare-and-swap of tail from what it saw to past the n places it takes. Invariant: each place has one owner. On
 *      failure another sender was quicker: again from 1, so that there is still room. Without room nothing was changed:
 *      the tasks stay with the sender.
 *   3. Writes the payloads. Invariant: nobody reads them, since seq is still that of an earlier lap.
 *   4. Atomic store of each seq = position + 1. Invariant: seq == position + 1 means the payload is whole.
 *   5. Sets the receiver's wake request, and has the kernel side look at it if it is parked.
 * Receiver, the worker of the domain:
 *   6. From head on, atomic loads of seq, until one is not committed.
 *   7. Reads payloads; atomic store of head. Invariant: the reads come before it.
 *
 * What a record carries is the name of a wait (slot, generation, enqueue count): the kernel side applies one decision
 * for each wait, whoever publishes it. So a task whose record is lost with a dead worker, on either side, is like any
 * that a worker holds for too long: the kernel side queues it.
 */

const SEQ = 0;
const SLOT = 1;
const ENQ = 2;
const STAMP = 3;
const LAG = 4;
const ENTRY_SHIFT = 3;
const TAIL = 0;
/** Long after the kernel side has queued the tasks. */
const HELD_UP_MAX_MS = 1_000;
/** In a cache line pair of its own. */
const HEAD = 32;
const HEADER_WORDS = 64;

/** Places of an inbox, a power of two. */
export const INBOX_SIZE = 1024;

/** inboxBytes is the memory of so many domains' inboxes. */
export function inboxBytes(nrDomains: number): number {
  return nrDomains * INBOX_WORDS * Int32Array.BYTES_PER_ELEMENT;
}

const INBOX_WORDS = HEADER_WORDS + (INBOX_SIZE << ENTRY_SHIFT);
const MASK = INBOX_SIZE - 1;

/** Inbox is one domain's inbox, of which its worker is the receiver and every other worker a sender. */
export class Inbox {
  private readonly words: Int32Array;
  /** The receiver's own; the record that `take` found last. */
  private head: number;
  slot = 0;
  enq = 0;
  /** generation | TASK_FLAGs << 16 */
  stamp = 0;
  /** Virtual time less its former domain's clock, in nanoseconds, within 2^31. */
  lagNs = 0;

  /** @throws RangeError when the memory has no such inbox */
  constructor(memory: ArrayBufferLike, domain: number) {
    this.words = new Int32Array(memory, domain * INBOX_WORDS * Int32Array.BYTES_PER_ELEMENT, INBOX_WORDS);
    this.head = Atomics.load(this.words, HEAD);
  }

  /** reserve takes n places (steps 1, 2). False, and nothing is changed, when there is no room for all. */
  reserve(n: number): boolean {
    const { words } = this;
    for (;;) {
      const tail = Atomics.load(words, TAIL);
      if (((tail - Atomics.load(words, HEAD)) | 0) + n > INBOX_SIZE) return false;
      if (Atomics.compareExchange(words, TAIL, tail, (tail + n) | 0) === tail) {
        this.position = tail;
        return true;
      }
    }
  }

  /** The next of the places reserved last. */
  private position = 0;

  /** put fills the next reserved place (steps 3, 4). */
  put(slot: number, enq: number, stamp: number, lagNs: number): void {
    const { words, position } = this;
    const at = HEADER_WORDS + ((position & MASK) << ENTRY_SHIFT);
    words[at + SLOT] = slot;
    words[at + ENQ] = enq;
    words[at + STAMP] = stamp;
    words[at + LAG] = lagNs;
    this.position = (position + 1) | 0;
    Atomics.store(words, at + SEQ, this.position);
  }

  /** room tells how many places are free; another sender may be quicker. */
  room(): number {
    const { words } = this;
    return INBOX_SIZE - ((Atomics.load(words, TAIL) - Atomics.load(words, HEAD)) | 0);
  }

  /** isEmpty is the receiver's look whether there is a record. */
  isEmpty(): boolean {
    const { words, head } = this;
    const at = HEADER_WORDS + ((head & MASK) << ENTRY_SHIFT);
    if (Atomics.load(words, at + SEQ) === ((head + 1) | 0)) return false;
    if (Atomics.load(words, TAIL) !== head) this.passOver();
    else this.heldUpMs = 0;
    return true;
  }

  /** Since when the first place has been taken but not filled. */
  private heldUpMs = 0;

  /**
   * A sender that dies between steps 2 and 4 would hold up all others for ever: its place is passed over after a while. If it
   * lives after all, its record and another's may get mixed: the kernel side refuses what names no wait, and queues the tasks.
   */
  private passOver(): void {
    const nowMs = performance.now();
    if (this.heldUpMs === 0) this.heldUpMs = nowMs;
    if (nowMs - this.heldUpMs < HELD_UP_MAX_MS) return;
    this.heldUpMs = 0;
    this.head = (this.head + 1) | 0;
    this.release();
  }

  /** take reads the next record into this object's fields (steps 6, 7); false when there is none. */
  take(): boolean {
    const { words, head } = this;
    const at = HEADER_WORDS + ((head & MASK) << ENTRY_SHIFT);
    const next = (head + 1) | 0;
    if (Atomics.load(words, at + SEQ) !== next) return false;
    this.slot = words[at + SLOT];
    this.enq = words[at + ENQ];
    this.stamp = words[at + STAMP];
    this.lagNs = words[at + LAG];
    this.head = next;
    return true;
  }

  /** release gives the places of all records taken so far back to the senders. */
  release(): void {
    Atomics.store(this.words, HEAD, this.head);
  }
}
