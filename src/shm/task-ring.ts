/**
 * HOT PATH: no allocation, no exceptions, one kind of view, one fence (arm64) and one atomic store per batch.
 *
 * The task ring: many CPUs write in BPF, one worker reads. A place is named by its position, a u32 that wraps; the
 * entry is entries[position & mask]. Positions are kept as int32 here (V8 keeps those unboxed).
 *
 * Producer, on any CPU:
 *   1. tail - head > size - margin: full, the task goes the in-kernel way. The margin, one place per CPU that may be
 *      between 1 and 2, keeps step 2 from ever handing out a place that is still unread.
 *   2. position = fetch_add(tail, 1). Invariant: each position has one owner.
 *   3. Writes the entry's payload. Invariant: nobody reads it, since seq is still that of an earlier lap.
 *   4. Store-release of seq = position + 1. Invariant: seq == position + 1 means the payload is whole.
 * Consumer, the worker:
 *   5. From head on, counts the entries with seq == position + 1, with plain loads. It stops at the first that is not
 *      committed, so order is kept, and a producer interrupted between 2 and 4 holds up only what came after it.
 *   6. Where a load may pass an earlier one, one sequentially consistent store and then one such load (both are words it
 *      must write and read anyway). On arm64 the pair is a full fence (a load-acquire does not pass an earlier
 *      store-release, which itself follows the loads of 5), so the payload loads below cannot have happened before the
 *      seq loads of 5. x86-64 keeps loads in order, and V8 those of a shared buffer.
 *   7. Reads payloads.
 *   8. Atomic store of head. Invariant: the reads of 7 come before it, so a producer that sees the new head may write.
 */
import { DOMAIN, EVENT, TASK_ENTRY } from './layout.generated.js';
import type { Arena, DomainPlace } from './arena.js';
import { type HeldTasks, NOTE } from './held-tasks.js';
import type { Slot } from './slot.js';

// Set into the low bits of an entry's index.
const SLOT = TASK_ENTRY.word.slot;
const ENQ = TASK_ENTRY.word.enq;
const STAMP = TASK_ENTRY.word.generation;
const ENTRY_SHIFT = 2;
const { held: HELD } = NOTE;
const GENERATION_MASK = 0xffff;
const KIND_SHIFT = 24;
const DEQUEUE = EVENT.DEQUEUE;
const NR_EVENTS = EVENT.NR_EVENTS;

/**
 * TOLD is how {@link TaskRing.take} lists what it took: a slot (or a CPU, for the events about one), a CPU for the events that
 * name one, and the kind: EVENT, or `begin` for an ask by a task that was not known in this slot, or `renew` for one by such a
 * task in a slot that the policy holds: its former task is gone without the policy's knowing.
 */
export const TOLD = {
  slotMask: 0xffff,
  cpuShift: 16,
  cpuMask: 0x3ff,
  kindShift: 26,
  renew: 14,
  begin: 15,
} as const;

const TOLD_CPU_SHIFT = TOLD.cpuShift;
const TOLD_CPU_MASK = TOLD.cpuMask;
const TOLD_KIND_SHIFT = TOLD.kindShift;
const BEGIN = TOLD.begin << TOLD.kindShift;
const RENEW = TOLD.renew << TOLD.kindShift;

/** TaskRing is the consumer's side of one domain's task ring. One per worker; not shared between threads. */
export class TaskRing {
  private readonly words: Uint32Array;
  /** The entries alone: a masked index is in range, and there is nothing to add to it. */
  private readonly entries: Uint32Array;
  private readonly mask: number;
  private readonly headWord: number;
  private head: number;
  /**
   * Whether a task that was taken away is held no longer. Not for a policy that would not be told: it keeps what it has, also
   * when its predecessor still asked for such events.
   */
  heedsDequeue = true;

  constructor(arena: Arena, place: DomainPlace) {
    if (TASK_ENTRY.words !== 1 << ENTRY_SHIFT) throw new RangeError('task ring entries are not 16 bytes');
    this.words = arena.words;
    const { taskRingWord, taskRingSize } = place;
    this.entries = arena.words.subarray(taskRingWord, taskRingWord + taskRingSize * TASK_ENTRY.words);
    this.mask = place.taskRingSize - 1;
    this.headWord = place.domainWord + DOMAIN.word.taskHead;
    this.head = Atomics.load(arena.signedWords, this.headWord);
  }

  /** committed counts the entries that can be read, at most `limit` (step 5). Follow it with step 6. */
  committed(limit: number): number {
    const { entries, mask, head } = this;
    let count = 0;
    while (count < limit) {
      const position = (head + count) | 0;
      const next = (position + 1) | 0;
      if ((entries[(position & mask) << ENTRY_SHIFT] | 0) !== next) break;
      count = (count + 1) | 0;
    }
    return count;
  }

  /** ready looks whether the next entry is there. A hint, read plainly. */
  ready(): boolean {
    return (this.entries[(this.head & this.mask) << ENTRY_SHIFT] | 0) === ((this.head + 1) | 0);
  }

  /**
   * take reads the first `count` entries (step 7): each wait is noted in `held`, and what the policy must be told of is listed
   * in `told` ({@link TOLD}), in order. A slot out of range is passed over; so is one that the policy has already (its
   * earlier wait was broken off; the decision to come answers the new one).
   *
   * @returns how many are listed
   */
  take(count: number, held: HeldTasks, told: Uint32Array): number {
    const { entries, mask, head } = this;
    const { notes, nrSlots } = held;
    const end = (head + count) | 0;
    let listed = 0;
    let asked = 0;
    for (let position = head; position !== end; position = (position + 1) | 0) {
      const entry = (position & mask) << ENTRY_SHIFT;
      const slot = entries[entry | SLOT] | 0;
      if (slot < 0 || slot >= nrSlots) continue;
      const stamp = entries[entry | STAMP] | 0;
      const kind = stamp >>> KIND_SHIFT;
      if (kind !== 0) {
        const event = this.takeEvent(kind, slot, entry, held);
        if (event === 0) continue;
        told[listed] = event;
        listed = (listed + 1) | 0;
        continue;
      }
      const at = slot << 1;
      const before = notes[at | 1] | 0;
      notes[at] = entries[entry | ENQ] | 0;
      notes[at | 1] = stamp | HELD;
      if ((before & HELD) === 0) {
        told[listed] = ((before ^ stamp) & GENERATION_MASK) === 0 ? slot : slot | BEGIN;
        listed = (listed + 1) | 0;
        asked = (asked + 1) | 0;
      } else if (((before ^ stamp) & GENERATION_MASK) !== 0) {
        told[listed] = slot | RENEW;
        listed = (listed + 1) | 0;
      }
    }
    held.count = (held.count + asked) | 0;
    return listed;
  }

  /** An event as it is listed; 0 when there is nothing to tell: a task that is not held was taken away. */
  private takeEvent(kind: number, slot: number, entry: number, held: HeldTasks): number {
    const { entries } = this;
    const enq = entries[entry | ENQ] | 0;
    if (kind >= NR_EVENTS) return 0;
    if (kind === DEQUEUE) {
      if (!this.heedsDequeue) return 0;
      if (!held.drop(slot as Slot, enq, entries[entry | STAMP] & GENERATION_MASK)) return 0;
    }
    return slot | ((enq & TOLD_CPU_MASK) << TOLD_CPU_SHIFT) | (kind << TOLD_KIND_SHIFT);
  }

  /** release gives the first `count` places back to the producers (step 8). */
  release(count: number): void {
    this.head = (this.head + count) | 0;
    Atomics.store(this.words, this.headWord, this.head);
  }
}
