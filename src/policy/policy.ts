/** What a scheduling policy is, and what it is given. */
import type { z } from 'zod';
import type { CpuView } from '../shm/cpu-view.js';
import type { Slot } from '../shm/slot.js';
import type { TaskView } from '../shm/task-view.js';
import type { StateArrays, StateSpec } from './state.js';

/**
 * Policy is one domain's policy at work. Its methods are the hot path: they must not allocate (per-task state lies in
 * typed arrays indexed by slot), wait or do I/O. Throwing stops the domain, which is then scheduled in the kernel.
 * Those with a question mark may be left out, and then cost nothing.
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
   * all it has. A policy that publishes none of what it holds is asked again when something happens (a task comes, a
   * tick); a task it keeps for longer than the stall limit is scheduled in the kernel.
   */
  dispatch(room: number): void;

  /**
   * dequeue says that a held task wants no CPU any more: it was killed, traced, or given another affinity or class. The
   * slot is not held from here on. Without this method the policy decides it like any other, to no effect.
   */
  dequeue?(slot: Slot): void;

  /** taskInit is called once for each task, before its first enqueue under this policy; its state is 0. */
  taskInit?(slot: Slot): void;
  /** taskExit says that the task is gone, and its slot free. */
  taskExit?(slot: Slot): void;
  /** running says that a task got a CPU. Costs a record in the task ring for each switch. */
  running?(slot: Slot, cpu: number): void;
  /** stopping says that a task left its CPU. Costs a record in the task ring for each switch. */
  stopping?(slot: Slot, cpu: number): void;
  /** weightChanged comes with a new nice value, cgroup weight, and the like. */
  weightChanged?(slot: Slot): void;
  /** affinityChanged comes when a task may use other CPUs than before. */
  affinityChanged?(slot: Slot): void;
  cpuOnline?(cpu: number): void;
  cpuOffline?(cpu: number): void;

  /** tick is called every {@link PolicyModule.tickMs}, between batches, also while the domain idles. */
  tick?(): void;

  /** unload is called once when the domain stops in good order or gets another policy. */
  unload?(): void;
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
   * @param cpu - a CPU of the domain, or {@link CPU_ANY}. With DECISION_FLAG.NEAR it is where the search for an idle CPU
   *   begins, and the task may run on any.
   * @param flags - {@link DECISION_FLAG}s.
   * @returns false, and nothing is published, when the task is not held or there is no room.
   */
  publish(slot: Slot, sliceUs: number, cpu: number, flags: number): boolean;

  /**
   * standing leaves an order in a held task's slot for its next wake-ups, so that the kernel side need not ask. Call it
   * before {@link publish}. Ignored (false) when the task is not held or the scheduler asks always.
   *
   * A policy that never calls it gets orders made from its decisions, unless it declares `standing: 'none'`.
   *
   * @param wakes - valid for so many wake-ups
   * @param validMs - and for so many milliseconds
   * @param lagUs - on wake, its vtime is brought to at least the domain's clock less this
   * @param offsetUs - added to its deadline
   * @param execCapUs - deadline = vtime + min(weighted execution since wake, this)
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

  /**
   * handOff gives a held task to another domain's policy, and ends the holding. Its state and its lag go with it.
   *
   * @returns false, and the task stays held, when it may not run there, the domain is this one or unknown, or its inbox
   *   is full
   */
  handOff(slot: Slot, domain: number): boolean;

  /** kick makes a CPU of the domain look for work, at once (`preempt`) or when it idles. False when there is no room. */
  kick(cpu: number, preempt: boolean): boolean;
}

/** DomainClock is the domain's virtual clock: how much weighted execution its tasks have had. */
export interface DomainClock {
  /** clockNs is the clock at the beginning of this batch, in nanoseconds; it never goes back. */
  clockNs(): number;
}

/** AskMode: whether wake-ups may go by standing orders (`auto`) or are all asked (`always`). */
export type AskMode = 'auto' | 'always';

/** DomainNeighbours says where the other domains are. */
export interface DomainNeighbours {
  readonly nrDomains: number;
  /** The other domains, nearest first. */
  readonly nearest: readonly number[];
  /** NUMA distance to each domain, indexed by domain; 10 is local. */
  readonly distances: readonly number[];
}

/** PolicyContext is what a policy is made from. It stays valid as long as the policy. */
export interface PolicyContext<Options = unknown, State extends StateSpec = StateSpec> {
  readonly domain: number;
  readonly nrCpus: number;
  /** Slot numbers are below this. */
  readonly nrSlots: number;
  /** The slice of a task of weight 100. */
  readonly sliceUs: number;
  readonly ask: AskMode;
  readonly options: Options;
  /** The per-task state the policy declared. */
  readonly state: StateArrays<State>;
  readonly tasks: TaskView;
  readonly cpus: CpuView;
  readonly decisions: Decisions;
  readonly clock: DomainClock;
  readonly neighbours: DomainNeighbours;
}

/**
 * Where standing orders come from: made from the policy's last decision (`auto`), the policy's own calls of
 * {@link Decisions.standing} only (`own`), or nowhere (`none`: every wake-up that finds no idle CPU is asked).
 */
export type StandingMode = 'auto' | 'own' | 'none';

/**
 * What a policy makes of weights: shares of CPU time in proportion (`proportional`), more for the heavier without a fixed
 * measure (`ordered`), or nothing (`ignored`). A statement for `nodeland policy test`, which holds it to that.
 */
export type WeightsMode = 'proportional' | 'ordered' | 'ignored';

/** OptionsSchema is a zod schema, or makes one. What it gives reaches the workers as a structured clone. */
export type OptionsSchema<Options> = z.ZodType<Options> | ((zod: typeof z) => z.ZodType<Options>);

/** PolicyModule is what {@link definePolicy} takes. */
export interface PolicyModule<Options, State extends StateSpec> {
  /** Lower-case letters, digits and dashes: the name in the configuration and in messages. */
  readonly name: string;
  /** One line for lists of policies. */
  readonly summary: string;
  /**
   * Checks the options of the configuration and fills in defaults, in the main thread. Without it the policy has none. A
   * function spares the workers zod.
   */
  readonly options?: OptionsSchema<Options> | undefined;
  /** Per-task state. */
  readonly state?: State;
  /** `auto` unless said. */
  readonly standing?: StandingMode;
  /** `proportional` unless said. */
  readonly weights?: WeightsMode;
  /** How often {@link Policy.tick} is called, 5 to 10000 ms. 100 unless said. */
  readonly tickMs?: number;
  /** create makes the policy of one domain, in that domain's worker. May allocate and throw. */
  create(context: PolicyContext<Options, State>): Policy;
}

/** PolicyDefinition is a policy as a module exports it: {@link definePolicy}'s result. */
export type PolicyDefinition = Required<PolicyModule<unknown, StateSpec>>;

const KINDS: readonly string[] = ['f64', 'i32', 'u32'];
const STANDING: readonly string[] = ['auto', 'own', 'none'];
const WEIGHTS: readonly string[] = ['proportional', 'ordered', 'ignored'];
const TICK_MS = 100;

/**
 * definePolicy checks a definition and returns it: `export default definePolicy({ name, summary, create })`.
 *
 * @throws TypeError that says what is wrong
 */
export function definePolicy<Options = undefined, const State extends StateSpec = Record<string, never>>(
  module: PolicyModule<Options, State>,
): PolicyDefinition {
  const { name, summary, options, state = {}, standing = 'auto', tickMs = TICK_MS } = module;
  const { weights = 'proportional' } = module;
  if (typeof name !== 'string' || !/^[a-z][a-z0-9-]*$/.test(name)) {
    throw new TypeError(`policy name "${name}": expected lower-case letters, digits and dashes`);
  }
  if (typeof module.create !== 'function') throw new TypeError(`policy ${name}: create is not a function`);
  if (options !== undefined && typeof options !== 'function' && typeof options.safeParse !== 'function') {
    throw new TypeError(`policy ${name}: options is not a zod schema`);
  }
  for (const [field, kind] of Object.entries<string>(state)) {
    if (!KINDS.includes(kind)) {
      throw new TypeError(`policy ${name}: state.${field} is "${kind}", expected one of ${KINDS.join(', ')}`);
    }
  }
  if (!STANDING.includes(standing)) {
    throw new TypeError(`policy ${name}: standing is "${standing}", expected one of ${STANDING.join(', ')}`);
  }
  if (!WEIGHTS.includes(weights)) {
    throw new TypeError(`policy ${name}: weights is "${weights}", expected one of ${WEIGHTS.join(', ')}`);
  }
  if (!Number.isInteger(tickMs) || tickMs < 5 || tickMs > 10_000) {
    throw new TypeError(`policy ${name}: tickMs is ${tickMs}, expected a whole number from 5 to 10000`);
  }
  return {
    name,
    summary,
    options,
    state,
    standing,
    weights,
    tickMs,
    // What it is given was made from these very options and this state.
    create: (context) => module.create(context as PolicyContext<Options, State>),
  };
}
