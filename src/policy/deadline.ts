/** HOT PATH (enqueue, dispatch): no allocation, no exceptions; a task that is new or has changed is matched with the rules. */
import { DECISION_FLAG, LIMIT, TASK_FLAG } from '../shm/layout.generated.js';
import type { Slot } from '../shm/slot.js';
import type { TaskView } from '../shm/task-view.js';
import { BOOST_MIN_US, BUDGET_STATE, Budgets } from './deadline/budgets.js';
import { type DeadlineOptions, type LatencyClass, options } from './deadline/options.js';
import { EarliestFirst } from './lib/earliest-first.js';
import { Ewma } from './lib/ewma.js';
import { fingerprint } from './lib/fingerprint.js';
import { noFacts, readFacts, TaskRules } from './lib/task-rules.js';
import { VTIME_STATE, VtimeClock } from './lib/vtime-clock.js';
import { VtimeOrders } from './lib/vtime-orders.js';
import { definePolicy, type DomainClock, type PolicyContext } from './policy.js';
import type { StateArrays } from './state.js';

const CPU_ANY = LIMIT.CPU_ANY;
const WOKE = TASK_FLAG.WAKEUP;
/** Preempted within its slice, a task waits under its own key, with what is left of the boost it paid for. */
const KEEP_KEY = DECISION_FLAG.KEEP_KEY;
const KEEP_KEY_AND_PREEMPT = DECISION_FLAG.KEEP_KEY | DECISION_FLAG.PREEMPT;
/** A task that did not sleep keeps a claim to so much. */
const KEEP_AWAKE_NS = 1e9;
/** Part of a new sample in the average of what a task runs between two sleeps. */
const BURST_SHARE = 0.25;
/** A boosted order pays for so many wake-ups in advance at most. */
const BOOSTED_WAKES_MAX = 16;

const STATE = {
  ...VTIME_STATE,
  ...BUDGET_STATE,
  /** 1 + class; 0: none. */
  latencyClass: 'u32',
  /** By which settings, and for which identity of the task, that was found. */
  settings: 'u32',
  identity: 'u32',
  /** How much earlier it was queued last. */
  boostUs: 'f64',
  /** Average execution between two sleeps. */
  burstUs: 'f64',
} as const;

/**
 * deadline is weighted fair queueing by virtual time in which tasks of latency classes are queued earlier by a boost:
 *
 *     key = vtime - boostUs * (what is left of the budget) / (the whole budget)
 *
 * A boost is paid for from two buckets, the task's and its class's (budgets.ts), and decays as they empty; what a task ran
 * boosted is charged to its vtime all the same. So boosted execution over any time T on a domain with m CPUs is at most
 *
 *     2 * capacity + share * m * (T + validity of orders)
 *
 * however many tasks there are in the class and whatever they do, and the rest is divided by weight. Keys are all shifted by
 * the largest boost, so that a standing order, which can only delay, gives a boost by delaying less. Virtual deadlines
 * with a reservation that bounds them follow the constant bandwidth server (Abeni, Buttazzo, RTSS 1998).
 */
class Deadline extends EarliestFirst {
  private readonly tasks: TaskView;
  private readonly domainClock: DomainClock;
  private readonly state: StateArrays<typeof STATE>;
  private readonly clock: VtimeClock;
  private readonly budgets: Budgets;
  private readonly bursts: Ewma;
  private readonly rules: TaskRules;
  private readonly classOfRule: readonly number[];
  private readonly facts = noFacts();
  private readonly settings: number;
  private readonly leavesOrders: boolean;
  private readonly orders: VtimeOrders;
  private readonly orderWakes: number;
  private readonly sliceUs: number;
  private readonly boostMaxUs: number;
  private readonly classBoostUs: Float64Array;
  private readonly classSliceUs: Float64Array;

  constructor(context: PolicyContext<DeadlineOptions, typeof STATE>) {
    super(context);
    const { options, sliceUs, domain, nrSlots, nrCpus, state } = context;
    const names = Object.keys(options.classes);
    const classes: readonly LatencyClass[] = Object.values(options.classes);
    this.tasks = context.tasks;
    this.domainClock = context.clock;
    this.state = state;
    this.clock = new VtimeClock(state, domain, sliceUs);
    this.budgets = new Budgets(state, classes, domain, nrCpus, options.orderValidMs * 1e6);
    this.bursts = new Ewma(state.burstUs, BURST_SHARE);
    this.rules = new TaskRules(options.rules.map(({ match }) => match));
    this.classOfRule = options.rules.map((rule) => names.indexOf(rule.class));
    this.settings = fingerprint(options);
    this.leavesOrders = context.ask !== 'always';
    this.orderWakes = options.orderWakes;
    this.orders = new VtimeOrders(context.decisions, this.clock, nrSlots, sliceUs, options);
    this.sliceUs = sliceUs;
    this.boostMaxUs = Math.max(0, ...classes.map(({ boostUs }) => boostUs));
    this.classBoostUs = Float64Array.from(classes, ({ boostUs }) => boostUs);
    this.classSliceUs = Float64Array.from(classes, (each) => each.sliceUs ?? sliceUs);
  }

  taskInit(slot: Slot): void {
    this.budgets.begin(slot);
  }

  enqueue(slot: Slot): void {
    const { tasks, state, clock } = this;
    if (state.settings[slot] !== this.settings || state.identity[slot] !== tasks.identity(slot)) {
      this.classify(slot);
    }
    const ranNs = tasks.execSinceDecisionNs(slot);
    const keepNs = (tasks.askFlags(slot) & WOKE) !== 0 ? this.sliceUs * 1000 : KEEP_AWAKE_NS;
    clock.arrive(slot, ranNs, tasks.weight(slot), state.boostUs[slot] * 1000, keepNs);
    const index = (state.latencyClass[slot] | 0) - 1;
    const boostUs = index < 0 ? 0 : this.boostOf(slot, index, ranNs);
    state.boostUs[slot] = boostUs;
    clock.keyInto(slot, this.domainClock.clockNs(), (this.boostMaxUs - boostUs) * 1000, this.keyNs);
    this.queue.push(slot);
  }

  /** classify puts a task into a class by its name and the like. Allocates. */
  private classify(slot: Slot): void {
    const { tasks, state, facts } = this;
    readFacts(tasks, slot, facts);
    const rule = this.rules.first(facts);
    state.latencyClass[slot] = rule < 0 ? 0 : 1 + this.classOfRule[rule];
    state.settings[slot] = this.settings;
    state.identity[slot] = tasks.identity(slot);
    // No wake-up any more by an order of its old class.
    this.orders.end(slot);
  }

  private boostOf(slot: Slot, index: number, ranNs: number): number {
    const { budgets, tasks } = this;
    const wakes = tasks.wakes(slot);
    this.bursts.add(slot, ranNs / 1000 / (wakes > 1 ? wakes : 1));
    budgets.settle(slot, index, ranNs, tasks.enqueuedNs(slot));
    const leftUs = budgets.leftUs(slot, index) | 0;
    if (leftUs < BOOST_MIN_US) return 0;
    const boostUs = Math.floor(this.classBoostUs[index] * budgets.fullness(slot, index));
    const longestUs = this.classSliceUs[index];
    if (boostUs > 0) budgets.setAside(slot, index, longestUs < leftUs ? longestUs : leftUs);
    return boostUs;
  }

  protected decide(slot: Slot): void {
    const { tasks, state, sliceUs } = this;
    const index = (state.latencyClass[slot] | 0) - 1;
    const ask = tasks.askFlags(slot);
    // What was set aside for this decision is its slice.
    const boostedUs = state.boostUs[slot] > 0 ? state.grantUs[slot] : 0;
    if (this.leavesOrders) {
      if (index >= 0) this.leaveClassOrder(slot, index, boostedUs > 0);
      else this.orders.keep(slot, ask, sliceUs, this.boostMaxUs * 1000);
    }
    const flags = (ask & WOKE) !== 0 ? KEEP_KEY_AND_PREEMPT : KEEP_KEY;
    this.decisions.publish(slot, boostedUs > 0 ? boostedUs : sliceUs, CPU_ANY, flags);
  }

  /** A boosted order has slices of twice what the task usually runs, and as many wake-ups as there is budget for. */
  private leaveClassOrder(slot: Slot, index: number, isBoosted: boolean): void {
    const { budgets, boostMaxUs } = this;
    const leftUs = budgets.leftUs(slot, index);
    if (!isBoosted || leftUs < BOOST_MIN_US) {
      this.orders.leave(slot, this.orderWakes, this.sliceUs, boostMaxUs * 1000);
      return;
    }
    const longestUs = this.classSliceUs[index];
    const usualUs = Math.max(BOOST_MIN_US, Math.floor(2 * this.bursts.value(slot)));
    const sliceUs = Math.min(usualUs, longestUs, Math.floor(leftUs));
    const wakes = Math.min(BOOSTED_WAKES_MAX, Math.floor(leftUs / sliceUs));
    budgets.setAside(slot, index, wakes * sliceUs);
    this.orders.leave(slot, wakes, sliceUs, (boostMaxUs - this.state.boostUs[slot]) * 1000);
  }
}

export default definePolicy({
  name: 'deadline',
  summary: 'fair by virtual time, with latency classes whose boost is paid for from a budget',
  options,
  state: STATE,
  standing: 'own',
  create: (context) => new Deadline(context),
});
