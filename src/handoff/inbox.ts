/**
 * HOT PATH: no allocation, no exceptions, one kind of view, one compare-and-swap and one store per batch on the sender's side,
 * one load and one store per batch on the receiver's.
 *
 * A domain's inbox: tasks that other domains' workers hand over. Many write, its worker reads. Like the task ring, a
 * place is named by its position, an int32 that wraps, and entry position & mask lies there.
 *
 * Sender:
 *   1. room = size - (tail - head), with the tail and the head it last saw; it looks at the real head only when that says there is
 *      too little room. Invariant: heads only grow, so an old one can only make the room smaller.
 *   2. Compare-and-swap of tail from what it saw to past the n places it takes. Invariant: each place has one owner. On
 *      failure another sender was quicker: again from 1 with the tail there is, so that there is still room. Without room
 *      nothing was changed: the tasks stay with the sender.
 *   3. Writes the payloads, and plainly seq = ~(position + 1) of all but the first of its places. Invariant: nobody reads them,
 *      since the first's seq is still that of an earlier lap, and the receiver takes them in order.
 *   4. Atomic store of the first one's seq = position + 1. Invariant: whoever has seen that sees all the others whole. One for
 *      the batch: each would wait until the receiver's cache has given up the lines written before it.
 *   5. Sets the receiver's wake request, and has the kernel side look at it if it is parked.
 * Receiver, the worker of the domain:
 *   6. From head on, seq: plainly whether it is one that follows in a batch, ~(position + 1), whose first it has then seen;
 *      otherwise by an atomic load whether it is the first of another. Until it is neither.
 *   7. Reads payloads; atomic store of head. Invariant: the reads come before it.
 *
 * What a record carries is the name of a wait (slot, generation, enqueue count): the kernel side applies one decision
 * for each wait, whoever publishes it. So a task whose record is lost with a dead worker, on either side, is like any
 * that a worker holds for too long: the kernel side queues it.
 */

/** Words of an entry: seq, enqueue count, slot | generation << 16, lag | flags. Four entries to a cache line. */
const SEQ = 0;
const ENQ = 1;
const WHO = 2;
const LAG_FLAGS = 3;
const ENTRY_SHIFT = 2;
const LOW_16 = 0xffff;
const FLAGS_MASK = 0xff;
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
  /** What a sender last saw. */
  private seenTail: number;
  private seenHead: number;
  slot = 0;
  enq = 0;
  /** generation | TASK_FLAGs << 16 */
  stamp = 0;
  /** Virtual time less its former domain's clock, within 2^31 ns; in steps of 256 ns, which leaves room for the flags. */
  lagNs = 0;

  /** @throws RangeError when the memory has no such inbox */
  constructor(memory: ArrayBufferLike, domain: number) {
    this.words = new Int32Array(memory, domain * INBOX_WORDS * Int32Array.BYTES_PER_ELEMENT, INBOX_WORDS);
    this.head = Atomics.load(this.words, HEAD);
    this.seenHead = this.head;
    this.seenTail = Atomics.load(this.words, TAIL);
  }

  /**
   * room tells how many places are free as far as this sender knows; it looks only when that is fewer than `wanted` (step 1).
   * Another sender may be quicker.
   */
  room(wanted: number): number {
    const { words } = this;
    const room = INBOX_SIZE - ((this.seenTail - this.seenHead) | 0);
    if (room >= wanted) return room;
    this.seenHead = Atomics.load(words, HEAD);
    this.seenTail = Atomics.load(words, TAIL);
    return INBOX_SIZE - ((this.seenTail - this.seenHead) | 0);
  }

  /** reserve takes n places (steps 1, 2). False, and nothing is changed, when there is no room for all. */
  reserve(n: number): boolean {
    while (this.room(n) >= n) {
      const tail = this.seenTail;
      const found = Atomics.compareExchange(this.words, TAIL, tail, (tail + n) | 0);
      if (found === tail) {
        this.first = tail;
        this.position = tail;
        this.seenTail = (tail + n) | 0;
        return true;
      }
      this.seenTail = found;
    }
    return false;
  }

  /** The first and the next of the places reserved last. */
  private first = 0;
  private position = 0;

  /** put fills the next reserved place (step 3). Slots have 16 bits, stamps 24. */
  put(slot: number, enq: number, stamp: number, lagNs: number): void {
    const { words, position } = this;
    const at = HEADER_WORDS + ((position & MASK) << ENTRY_SHIFT);
    words[at + ENQ] = enq;
    words[at + WHO] = slot | (stamp << 16);
    words[at + LAG_FLAGS] = (lagNs & ~FLAGS_MASK) | ((stamp >>> 16) & FLAGS_MASK);
    const next = (position + 1) | 0;
    if (position !== this.first) words[at + SEQ] = ~next;
    this.position = next;
  }

  /** commit lets the receiver have what was put since the last `reserve`: all places it took (step 4). */
  commit(): void {
    const { first } = this;
    if (first === this.position) return;
    Atomics.store(this.words, HEADER_WORDS + ((first & MASK) << ENTRY_SHIFT) + SEQ, (first + 1) | 0);
  }

  /**
   * isEmpty is the receiver's look whether there is a record. A hint, read plainly: what was sent before a wake request that
   * the receiver has seen is seen.
   */
  isEmpty(): boolean {
    const { words, head } = this;
    const seq = words[HEADER_WORDS + ((head & MASK) << ENTRY_SHIFT) + SEQ];
    const next = (head + 1) | 0;
    if (seq === next || seq === ~next) return false;
    if (words[TAIL] !== head) this.passOver();
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
    if (words[at + SEQ] !== ~next && Atomics.load(words, at + SEQ) !== next) return false;
    const who = words[at + WHO];
    const lagFlags = words[at + LAG_FLAGS];
    this.slot = who & LOW_16;
    this.enq = words[at + ENQ];
    this.stamp = (who >>> 16) | ((lagFlags & FLAGS_MASK) << 16);
    this.lagNs = lagFlags & ~FLAGS_MASK;
    this.head = next;
    return true;
  }

  /** release gives the places of all records taken so far back to the senders. */
  release(): void {
    Atomics.store(this.words, HEAD, this.head);
  }
}
