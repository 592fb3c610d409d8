/** HOT PATH: no allocation, no exceptions. */
import type { Slot } from '../../shm/slot.js';
import { SlotHeap } from './slot-heap.js';

const ABSENT = 0;
const AWAY = 1;
const WAITING = 2;
/** The weight whose virtual time passes as fast as real time. */
const UNIT = 100;
/** How far zero lag may get from the base that sums are taken against, so that products stay whole numbers. */
const REBASE_NS = 2 ** 30;
const SUM = 0;
const WEIGHT = 1;
const BASE = 2;

/**
 * EevdfQueue is a run queue by earliest eligible virtual deadline: I. Stoica and H. Abdel-Wahab, "Earliest Eligible Virtual
 * Deadline First" (1995), in the shape Linux gave it (kernel/sched/fair.c: avg_vruntime, place_entity, pick_eevdf).
 *
 * Members are the tasks that compete: waiting here, or away (running, or on their way to a CPU). With v a member's virtual
 * run time (its execution * 100 / weight) and w its weight:
 *
 *     V = sum(w * v) / sum(w)        zero lag: who has had exactly its share is here
 *     lag = V - v                    what it is owed, in virtual time; sum(w * lag) = 0
 *     eligible: lag >= 0
 *     deadline = v + request * 100 / w, from when the last request was used up
 *
 * {@link pick} takes the eligible task with the earliest deadline. All virtual times are whole nanoseconds, and sums are exact
 * while sum(w) * (v - V) stays below 2^53: 1000 tasks of weight 100 may be 90 s apart.
 *
 * join, leave, drop, charge, reweight and isEligible are O(1), wait is O(1) and pick O(log n), both amortised: a waiting task
 * passes from one heap to the other as often as V passes it.
 */
export class EevdfQueue {
  /** Tasks waiting. */
  size = 0;
  /** Tasks competing. */
  nrMembers = 0;
  /** v and deadline of members, by slot. Read only. */
  readonly vruntimeNs: Float64Array;
  readonly deadlineNs: Float64Array;
  private readonly weights: Uint32Array;
  private readonly states: Uint8Array;
  private readonly members: Uint32Array;
  private readonly places: Uint32Array;
  /** Eligible when they were put there, by deadline; and the others, by v: the time at which they become so. */
  private readonly ready: SlotHeap;
  private readonly later: SlotHeap;
  /** V as {@link findZeroLag} found it: a fraction that a function returns is boxed wherever V8 does not inline it. */
  readonly zeroNs = new Float64Array(1);
  /** sum(w * (v - base)), sum(w), base. In an array, so that they are never boxed. */
  private readonly sums = new Float64Array(3);

  /**
   * @param lagNs - by slot: the lag with which a task joins, and with which it left
   * @param requestNs - by slot: how long it wants to run at a time
   * @param lagMaxNs - of execution, that a task may be owed, or owe, when it joins; Linux takes two requests (entity_lag)
   */
  constructor(
    nrSlots: number,
    private readonly lagNs: Float64Array,
    private readonly requestNs: Uint32Array,
    private readonly lagMaxNs: number,
  ) {
    // fill touches the pages, which a new array does not.
    this.vruntimeNs = new Float64Array(nrSlots).fill(0);
    this.deadlineNs = new Float64Array(nrSlots).fill(0);
    this.weights = new Uint32Array(nrSlots).fill(0);
    this.states = new Uint8Array(nrSlots).fill(ABSENT);
    this.members = new Uint32Array(nrSlots).fill(0);
    this.places = new Uint32Array(nrSlots).fill(0);
    this.ready = new SlotHeap(nrSlots, this.deadlineNs);
    this.later = new SlotHeap(nrSlots, this.vruntimeNs);
  }

  isMember(slot: Slot): boolean {
    return this.states[slot] !== ABSENT;
  }

  isWaiting(slot: Slot): boolean {
    return this.states[slot] === WAITING;
  }

  /** member is the index-th of those that compete, in no particular order. */
  member(index: number): Slot {
    return (this.members[index] | 0) as Slot;
  }

  weight(slot: Slot): number {
    return this.weights[slot];
  }

  /** findZeroLag sets zeroNs[0] to V. Without members it stays where it was. */
  findZeroLag(): void {
    const { sums } = this;
    this.zeroNs[0] = sums[WEIGHT] === 0 ? sums[BASE] : sums[BASE] + sums[SUM] / sums[WEIGHT];
  }

  /**
   * join adds a task that is no member, with the lag of `lagNs` (bounded), and a new request. Its
   * coming moves V, so that v is placed further out than the lag says: afterwards the lag is what it was.
   */
  join(slot: Slot, weight: number): void {
    const { sums, lagNs } = this;
    const requestNs = (this.requestNs[slot] * UNIT) / weight;
    const mostNs = (this.lagMaxNs * UNIT) / weight;
    const total = sums[WEIGHT];
    let lag = lagNs[slot];
    if (lag > mostNs) lag = mostNs;
    else if (!(lag >= -mostNs)) lag = -mostNs;
    if (total === 0) lag = 0;
    else lag *= (total + weight) / total;
    this.findZeroLag();
    const vruntime = Math.floor(this.zeroNs[0] - lag);
    this.vruntimeNs[slot] = vruntime;
    this.deadlineNs[slot] = Math.floor(vruntime + requestNs);
    this.weights[slot] = weight;
    this.states[slot] = AWAY;
    this.places[slot] = this.nrMembers;
    this.members[this.nrMembers] = slot;
    this.nrMembers = (this.nrMembers + 1) | 0;
    sums[WEIGHT] += weight;
    sums[SUM] += weight * (vruntime - sums[BASE]);
    this.rebase();
  }

  /** leave takes a member that is away out of the competition, and notes its lag. */
  leave(slot: Slot): void {
    this.findZeroLag();
    this.lagNs[slot] = this.zeroNs[0] - this.vruntimeNs[slot];
    this.drop(slot);
  }

  /** drop takes it out without noting anything: its lag is another's to write by now. */
  drop(slot: Slot): void {
    const { sums, members, places } = this;
    const weight = this.weights[slot];
    this.states[slot] = ABSENT;
    const last = (this.nrMembers - 1) | 0;
    this.nrMembers = last;
    members[places[slot]] = members[last];
    places[members[last]] = places[slot];
    sums[WEIGHT] -= weight;
    sums[SUM] -= weight * (this.vruntimeNs[slot] - sums[BASE]);
    if (last === 0) {
      sums[SUM] = 0;
      // V of one alone.
      sums[BASE] = this.vruntimeNs[slot];
    }
  }

  /** charge accounts execution of a member that is away. */
  charge(slot: Slot, ranNs: number): void {
    const weight = this.weights[slot];
    const virtualNs = weight === UNIT ? ranNs : Math.floor((ranNs * UNIT) / weight);
    this.vruntimeNs[slot] += virtualNs;
    this.sums[SUM] += weight * virtualNs;
    this.rebase();
  }

  /** reweight is leaving and joining again: what the task is owed stays the same, and is less virtual time when it weighs more. */
  reweight(slot: Slot, weight: number): void {
    const before = this.weights[slot];
    this.leave(slot);
    this.lagNs[slot] *= before / weight;
    this.join(slot, weight);
  }

  /** wait queues a member that is away. When it has used up its request it makes the next one. */
  wait(slot: Slot): void {
    if (this.vruntimeNs[slot] >= this.deadlineNs[slot]) {
      const requestNs = (this.requestNs[slot] * UNIT) / this.weights[slot];
      this.deadlineNs[slot] = Math.floor(this.vruntimeNs[slot] + requestNs);
    }
    this.states[slot] = WAITING;
    if (this.isEligible(slot)) this.ready.push(slot);
    else this.later.push(slot);
    this.size = (this.size + 1) | 0;
  }

  /** isEligible tells whether a member has not had more than its share. */
  isEligible(slot: Slot): boolean {
    const { sums } = this;
    return (this.vruntimeNs[slot] - sums[BASE]) * sums[WEIGHT] <= sums[SUM];
  }

  /**
   * pick takes the eligible task with the earliest deadline; it is then away. When none that waits is eligible, because those
   * that are have a CPU, it takes the one that becomes so first: no CPU idles while a task waits. Not for an empty queue.
   */
  pick(): Slot {
    const { ready, later } = this;
    while (later.size > 0 && this.isEligible(later.top())) ready.push(later.pop());
    // V may have gone back when a task left that was behind, or came that was ahead.
    while (ready.size > 0 && !this.isEligible(ready.top())) later.push(ready.pop());
    const slot = ready.size > 0 ? ready.pop() : later.pop();
    this.states[slot] = AWAY;
    this.size = (this.size - 1) | 0;
    return slot;
  }

  /** waiting is the index-th of those that wait, in no particular order, for an owner who takes all of them and then clears. */
  waiting(index: number): Slot {
    const { size } = this.ready;
    return index < size ? this.ready.at(index) : this.later.at((index - size) | 0);
  }

  /** clear has all that wait go away. */
  clear(): void {
    for (let index = 0; index < this.size; index++) this.states[this.waiting(index)] = AWAY;
    this.ready.clear();
    this.later.clear();
    this.size = 0;
  }

  private rebase(): void {
    const { sums } = this;
    const offNs = sums[SUM] / sums[WEIGHT];
    if (offNs < REBASE_NS && offNs > -REBASE_NS) return;
    const moveNs = Math.floor(offNs);
    sums[BASE] += moveNs;
    sums[SUM] -= sums[WEIGHT] * moveNs;
  }
}
