/**
 * HOT PATH: no allocation, no exceptions.
 *
 * What one worker hands over to others in a batch, and what they hand to it. The protocol is in inbox.ts.
 */
import { type Arena, domainPlace, readU64, writeU64 } from '../shm/arena.js';
import { type HeldTasks, NOTE } from '../shm/held-tasks.js';
import { DECISION_FLAG, DOMAIN, SLOT, WAIT_MODE } from '../shm/layout.generated.js';
import type { Slot } from '../shm/slot.js';
import { TaskView } from '../shm/task-view.js';
import { Inbox, inboxBytes } from './inbox.js';

/** So many tasks are handed to one domain in a batch at most; more wait for the next. */
const PENDING_MAX = 128;
const LAG_MAX_NS = 2 ** 31 - 1;
const { held: HELD, stampMask: STAMP_MASK } = NOTE;
const WAKE_WORKER = DECISION_FLAG.WAKE_WORKER;
const POLL = WAIT_MODE.POLL;

/** Requests is where entries about no task go. */
export interface Requests {
  request(word: number, cpu: number, flags: number): boolean;
}

/** HandOff is one worker's way to the other domains. */
export class HandOff {
  private readonly words: Uint32Array;
  private readonly tasks: TaskView;
  private readonly inboxes: Inbox[] = [];
  /** Word index of each domain's block. */
  private readonly blocks: Uint32Array;
  /** PENDING_MAX slots for each domain, and how many. */
  private readonly pending: Uint32Array;
  private readonly counts: Uint32Array;
  /** How many are pending in all. */
  count = 0;
  private readonly slotsWord: number;

  constructor(
    arena: Arena,
    private readonly domain: number,
    private readonly held: HeldTasks,
    memory: ArrayBufferLike = new ArrayBuffer(inboxBytes(arena.nrDomains)),
  ) {
    this.words = arena.words;
    this.tasks = new TaskView(arena, held);
    this.slotsWord = arena.slotsWord;
    this.blocks = new Uint32Array(arena.nrDomains);
    for (let id = 0; id < arena.nrDomains; id++) {
      this.inboxes.push(new Inbox(memory, id));
      this.blocks[id] = domainPlace(arena, id).domainWord;
    }
    this.pending = new Uint32Array(arena.nrDomains * PENDING_MAX).fill(0);
    this.counts = new Uint32Array(arena.nrDomains).fill(0);
  }

  /** offer notes a held task for another domain; its holding ends when it is sent. False when that cannot be. */
  offer(slot: Slot, to: number): boolean {
    const { counts } = this;
    if (
      to < 0 ||
      to >= counts.length ||
      to === this.domain ||
      !this.held.holds(slot) ||
      !this.tasks.mayUse(slot, to)
    ) {
      return false;
    }
    const count = counts[to];
    if (count >= PENDING_MAX || this.inboxes[to].room(count + 1) <= count) return false;
    this.pending[to * PENDING_MAX + count] = slot;
    counts[to] = count + 1;
    this.count++;
    const at = (slot << 1) | 1;
    // Nobody decides it meanwhile.
    this.held.notes[at] &= ~HELD;
    return true;
  }

  /**
   * send hands everything offered over, and returns how many were taken. What finds no room any more (other senders were
   * quicker) is held again, and listed in `back`.
   */
  send(requests: Requests, back: Uint32Array): number {
    let sent = 0;
    let returned = 0;
    for (let to = 0; to < this.counts.length; to++) {
      const count = this.counts[to];
      if (count === 0) continue;
      this.counts[to] = 0;
      const from = to * PENDING_MAX;
      if (this.inboxes[to].reserve(count)) {
        this.fill(to, from, count);
        this.wake(requests, to);
        sent += count;
      } else {
        for (let index = 0; index < count; index++) {
          const slot = this.pending[from + index];
          this.held.notes[(slot << 1) | 1] |= HELD;
          back[returned++] = slot;
        }
      }
    }
    this.count = 0;
    this.returned = returned;
    return sent;
  }

  /** How many `send` listed. */
  returned = 0;

  private fill(to: number, from: number, count: number): void {
    const { words, tasks, held } = this;
    const inbox = this.inboxes[to];
    const clockNs = readU64(words, this.blocks[this.domain] + DOMAIN.word.clockNs);
    for (let index = 0; index < count; index++) {
      const slot = this.pending[from + index] as Slot;
      const lagNs = Math.max(-LAG_MAX_NS, Math.min(LAG_MAX_NS, tasks.vtimeNs(slot) - clockNs));
      inbox.put(slot, held.notes[slot << 1] | 0, held.notes[(slot << 1) | 1] & STAMP_MASK, lagNs);
    }
    inbox.commit();
  }

  private wake(requests: Requests, to: number): void {
    const { words } = this;
    const block = this.blocks[to];
    Atomics.store(words, block + DOMAIN.word.wakeRequest, 1);
    const isAway =
      Atomics.load(words, block + DOMAIN.word.parked) !== 0 || words[block + DOMAIN.word.waitMode] === POLL;
    if (isAway) requests.request(to, 0, WAKE_WORKER);
  }

  hasMail(): boolean {
    return !this.inboxes[this.domain].isEmpty();
  }

  /**
   * receive takes up to `limit` tasks from the inbox: they are held from here on, and listed in `told`. Their virtual time
   * is brought into this domain's clock.
   */
  receive(limit: number, told: Uint32Array): number {
    const inbox = this.inboxes[this.domain];
    const { held, words } = this;
    const clockNs = readU64(words, this.blocks[this.domain] + DOMAIN.word.clockNs);
    let listed = 0;
    let taken = 0;
    while (taken < limit && inbox.take()) {
      taken++;
      const { slot } = inbox;
      if (slot < 0 || slot >= held.nrSlots) continue;
      const before = held.notes[(slot << 1) | 1] | 0;
      held.notes[slot << 1] = inbox.enq;
      held.notes[(slot << 1) | 1] = (inbox.stamp & STAMP_MASK) | HELD;
      writeU64(
        words,
        this.slotsWord + slot * SLOT.words + SLOT.word.vtimeNs,
        Math.max(0, clockNs + inbox.lagNs),
      );
      if ((before & HELD) === 0) told[listed++] = slot;
    }
    if (taken !== 0) inbox.release();
    held.count += listed;
    return listed;
  }
}
