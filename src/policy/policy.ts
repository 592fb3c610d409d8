/** What a scheduling policy is, and what it is given. */
import type { Slot } from '../shm/slot.js';
import type { TaskView } from '../shm/task-view.js';

/**
 * Policy is one domain's policy at work. Its methods are the hot path: they must not allocate (per-task state lies in
 * typed arrays indexed by slot), wait or do I/O. Throwing stops the domain, which is then scheduled in the kernel.
 */
export interface Policy {
  /**
   * enqueue takes a task that wants a CPU. The slot is the policy's until it has published a decision for it.
   * It is never called for a slot it holds already.
   */
  enqueue(slot: Slot): void;

  /**
   * dispatch publishes decisions, at most `room`, for tasks it holds. It is called after every batch of enqueues and
   * again as long as anything is held. The kernel side orders what was published by key, so the usual policy publishes
   * all it has.
   */
  dispatch(room: number): void;

  /** stop is called once when the domain stops in good order. */
  stop?(): void;
}

/** Decisions is where a policy's decisions go. */
export interface Decisions {
  /**
   * keyNs[slot] is the task's order in the domain's queue, earliest first: nanoseconds of the domain's virtual clock, a
   * whole number from 0 to 2^53. The kernel side clamps it to within 10 s of that clock. Set it before
   * {@link publish}; a run queue may order by this very array.
   */
  readonly keyNs: Float64Array;

  /**
   * publish decides a held task, with the key in {@link keyNs}, and ends the holding.
   *
   * @param sliceUs - its time slice in microseconds; 0 is the default slice. Clamped to 100 to 100000.
   * @param cpu - a CPU of the domain, or {@link CPU_ANY}.
   * @param flags - {@link DECISION_FLAG}s.
   * @returns false, and nothing is published, when the task is not held or there is no room.
   */
  publish(slot: Slot, sliceUs: number, cpu: number, flags: number): boolean;

  /**
   * standing leaves an order in a held task's slot for its next wake-ups, so that the kernel side need not ask. Call it
   * before {@link publish}. Ignored (false) when the task is not held or the scheduler asks always.
   *
   * @param wakes - valid for so many wake-ups
   * @param validMs - and for so many milliseconds
   * @param lagUs - on wake, its vtime is brought to at least the domain's clock less this
   * @param offsetUs - added to its deadline
   * @param execCapUs - deadline = vtime + min(execution since wake, this), weighted
   * @param sliceUs - its time slice
   * @param cpu - a CPU of the domain, or {@link CPU_ANY}
   * @param flags - {@link ORDER_FLAG}s
   */
  standing(
    slot: Slot,
    wakes: number,
    validMs: number,
    lagUs: number,
    offsetUs: number,
    execCapUs: number,
    sliceUs: number,
    cpu: number,
    flags: number,
  ): boolean;

  /**
   * orderStands tells whether the last order this policy left in a held task's slot is still there, with that slice, and half
   * its time is to go. Writing an order costs several times as much as this. That its wake-ups are used up the task's
   * flags say: {@link TASK_FLAG}.ORDER_ENDED.
   */
  orderStands(slot: Slot, sliceUs: number): boolean;
}

/** DomainClock is the domain's virtual clock: how much weighted execution its tasks have had. */
export interface DomainClock {
  /** clockNs is the clock at the beginning of this batch, in nanoseconds; it never goes back. */
  clockNs(): number;
}

/** AskMode: whether wake-ups may go by standing orders (`auto`) or are all asked (`always`). */
export type AskMode = 'auto' | 'always';

/** PolicyContext is what a policy is made from. It stays valid as long as the policy. */
export interface PolicyContext {
  readonly domain: number;
  readonly nrCpus: number;
  /** Slot numbers are below this. */
  readonly nrSlots: number;
  /** The slice of a task of weight 100. */
  readonly sliceUs: number;
  readonly ask: AskMode;
  readonly tasks: TaskView;
  readonly decisions: Decisions;
  readonly clock: DomainClock;
}

/** PolicyDefinition is a policy as a module exports it. */
export interface PolicyDefinition {
  /** Lower-case letters, digits and dashes: the name in the configuration and in messages. */
  readonly name: string;
  /** One line for lists of policies. */
  readonly summary: string;
  /** create makes the policy of one domain, in that domain's worker. May allocate and throw. */
  create(context: PolicyContext): Policy;
}

/** definePolicy checks a definition and returns it: `export default definePolicy({ name, summary, create })`. */
export function definePolicy(definition: PolicyDefinition): PolicyDefinition {
  if (!/^[a-z][a-z0-9-]*$/.test(definition.name)) {
    throw new TypeError(`policy name "${definition.name}": expected lower-case letters, digits and dashes`);
  }
  return definition;
}
