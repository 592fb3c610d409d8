/** HOT PATH (enqueue, dispatch): no allocation, no exceptions. */
import type { z } from 'zod';
import type { CpuView } from '../shm/cpu-view.js';
import { DECISION_FLAG, LIMIT, ORDER_FLAG, TASK_FLAG } from '../shm/layout.generated.js';
import type { Slot } from '../shm/slot.js';
import type { TaskView } from '../shm/task-view.js';
import { type Decisions, definePolicy, type DomainClock, type Policy, type PolicyContext } from './policy.js';
import { EevdfQueue } from './queues/eevdf-queue.js';
import type { StateArrays } from './state.js';

const CPU_ANY = LIMIT.CPU_ANY;
const SLICE_MIN_US = LIMIT.SLICE_MIN_US;
const SLICE_MAX_US = LIMIT.SLICE_MAX_US;
const WOKE = TASK_FLAG.WAKEUP;
const NEW = TASK_FLAG.NEW;
const ORDER_ENDED = TASK_FLAG.ORDER_ENDED;
const KEEP_KEY = DECISION_FLAG.KEEP_KEY;
const KEEP_KEY_AND_PREEMPT = DECISION_FLAG.KEEP_KEY | DECISION_FLAG.PREEMPT;
const ORDER_MAY_PREEMPT = ORDER_FLAG.PREEMPT;
const UNIT = 100;
const WEIGHT_MAX = 10_000;
/** More than this at a time was not run by our leave (a fallback, a debugger), and is not charged. */
const EXEC_MAX_NS = 10e9;
const ORDER_WAKES = 64;
/** A new task's first order, until its requests are known. */
const FIRST_ORDER_WAKES = 8;
/** A mean of so many bursts is taken as it is. */
const BURSTS = 4;
const ORDER_VALID_MS = 1000;
/** A task that joins is owed, or owes, so many requests at most; one that stays so many. */
const LAG_REQUESTS = 2;
const LAG_STAYING_REQUESTS = 8;
/** A turn is at most so many requests long. */
const TURN_REQUESTS = 4;
/**
 * Virtual time may be so many requests behind the domain's clock, or before it, before it is brought after it. Who wakes under an order
 * joins at the clock: what waits may be one request before that at most, or a sleeper would wait for a turn of all of it.
 */
const BEHIND_REQUESTS = 1;
const AHEAD_REQUESTS = 4;
/** Members looked at after each batch, for each decision, whether they still compete. */
const SWEEP = 2;
const NOW = 0;
const SHIFT = 1;
const LEFT = 2;

const options = (zod: typeof z) =>
  zod
    .strictObject({
      /** What a task asks for at a time, in microseconds; that of a task that does not sleep. */
      baseSliceUs: zod.int().min(SLICE_MIN_US).max(SLICE_MAX_US).default(3000),
      /** One that sleeps asks for what it runs between two sleeps on average, but for this at least. */
      minSliceUs: zod.int().min(SLICE_MIN_US).max(SLICE_MAX_US).default(500),
    })
    .refine(({ baseSliceUs, minSliceUs }) => minSliceUs <= baseSliceUs, {
      path: ['minSliceUs'],
      message: 'expected no more than baseSliceUs',
    });

const state = {
  /** Owed in virtual time, when it was decided last (or left, if that was noticed). */
  lagNs: 'f64',
  /** Its request. */
  requestNs: 'u32',
  /** 1 + the domain that decided it last; 0: none yet. */
  home: 'u32',
} as const;

/**
 * eevdf schedules by earliest eligible virtual deadline, as Linux's own scheduler does: see {@link EevdfQueue} for the
 * algorithm and docs/policies/eevdf.md for what is exact here and what is not.
 */
class Eevdf implements Policy {
  private readonly tasks: TaskView;
  private readonly cpus: CpuView;
  private readonly decisions: Decisions;
  private readonly keyNs: Float64Array;
  private readonly clock: DomainClock;
  private readonly queue: EevdfQueue;
  private readonly state: StateArrays<typeof state>;
  private readonly home: number;
  private readonly leavesOrders: boolean;
  private readonly baseUs: number;
  private readonly baseNs: number;
  private readonly minNs: number;
  private readonly lagStayingNs: number;
  /** By slot: execution since the decision that was charged while it ran; when it was decided, and V then. */
  private readonly chargedNs: Float64Array;
  private readonly decidedNs: Float64Array;
  private readonly decidedAtNs: Float64Array;
  /**
   * The time of this batch's first ask; what is to be added to a virtual time for the domain's clock; V when the task that
   * wakes stopped. In an array, so that they are never boxed.
   */
  private readonly times = new Float64Array(3);
  private hasLooked = false;
  private hand = 0;

  constructor(context: PolicyContext<z.output<ReturnType<typeof options>>, typeof state>) {
    const { nrSlots, options } = context;
    this.tasks = context.tasks;
    this.cpus = context.cpus;
    this.decisions = context.decisions;
    this.keyNs = context.decisions.keyNs;
    this.clock = context.clock;
    this.state = context.state;
    this.home = context.domain + 1;
    this.leavesOrders = context.ask !== 'always';
    this.baseUs = options.baseSliceUs;
    this.baseNs = options.baseSliceUs * 1000;
    this.lagStayingNs = LAG_STAYING_REQUESTS * this.baseNs;
    const { lagNs, requestNs } = context.state;
    this.queue = new EevdfQueue(nrSlots, lagNs, requestNs, LAG_REQUESTS * this.baseNs);
    this.minNs = options.minSliceUs * 1000;
    this.chargedNs = new Float64Array(nrSlots).fill(0);
    this.decidedNs = new Float64Array(nrSlots).fill(0);
    this.decidedAtNs = new Float64Array(nrSlots).fill(0);
  }

  taskInit(slot: Slot): void {
    const { queue } = this;
    // The slot's former task.
    if (queue.isMember(slot) && !queue.isWaiting(slot)) queue.drop(slot);
    this.state.requestNs[slot] = this.baseNs;
  }

  enqueue(slot: Slot): void {
    const { queue, tasks } = this;
    if (queue.isWaiting(slot)) return;
    if (!this.hasLooked) this.look(slot);
    const weight = Math.min(Math.max(tasks.weight(slot), 1), WEIGHT_MAX);
    const execNs = Math.min(tasks.execSinceDecisionNs(slot), EXEC_MAX_NS);
    const woke = (tasks.askFlags(slot) & WOKE) !== 0;
    this.request(slot, woke, execNs);
    if (this.state.home[slot] !== this.home) this.arrive(slot, weight, execNs);
    else if (woke) this.wake(slot, weight, execNs);
    else this.goOn(slot, weight, execNs);
    queue.wait(slot);
  }

  /** A task that sleeps asks for its mean burst; one that uses up what it asked for, for twice as much. */
  private request(slot: Slot, woke: boolean, execNs: number): void {
    const { requestNs } = this.state;
    const before = requestNs[slot];
    let wantedNs = before;
    if (!woke) wantedNs = execNs < before ? before : before * 2;
    else if (execNs > 0) {
      const wakes = Math.max(this.tasks.wakes(slot), 1);
      const burstNs = execNs / wakes;
      wantedNs = wakes >= BURSTS ? burstNs : before + (burstNs - before) / 4;
    }
    // One value of a whole number or a fraction would be boxed.
    if (wantedNs > this.baseNs) requestNs[slot] = this.baseNs;
    else if (wantedNs > this.minNs) requestNs[slot] = wantedNs;
    else requestNs[slot] = this.minNs;
  }

  /** arrive takes a task that this domain has not decided before. */
  private arrive(slot: Slot, weight: number, execNs: number): void {
    const { queue, state } = this;
    if (queue.isMember(slot)) queue.drop(slot);
    const lagNs = state.lagNs[slot];
    state.lagNs[slot] = state.home[slot] === 0 ? 0 : lagNs - (execNs * UNIT) / weight;
    state.home[slot] = this.home;
    queue.join(slot, weight);
  }

  /**
   * wake has a sleeper join with the lag it had when it went to sleep. If it slept several times since its decision, under
   * standing orders, that is not known: then with none.
   */
  private wake(slot: Slot, weight: number, execNs: number): void {
    const { queue } = this;
    const { lagNs } = this.state;
    const isMember = queue.isMember(slot);
    const restNs = Math.max(0, execNs - this.chargedNs[slot]);
    if (isMember) {
      queue.charge(slot, restNs);
      this.findZeroLagAtStop(slot);
      const lag = this.times[LEFT] - queue.vruntimeNs[slot];
      queue.drop(slot);
      lagNs[slot] = lag;
    } else lagNs[slot] -= (restNs * UNIT) / weight;
    if (this.tasks.wakes(slot) > 1) lagNs[slot] = 0;
    queue.join(slot, weight);
  }

  /** findZeroLagAtStop is V when the task stopped, as if it had gone evenly from its decision until now. */
  private findZeroLagAtStop(slot: Slot): void {
    const { decidedNs, decidedAtNs, queue, tasks } = this;
    queue.findZeroLag();
    const zeroNs = queue.zeroNs[0];
    const passedNs = tasks.enqueuedNs(slot) - decidedNs[slot];
    const share = (tasks.stoppedNs(slot) - decidedNs[slot]) / passedNs;
    this.times[LEFT] =
      share >= 0 && share <= 1 ? decidedAtNs[slot] + (zeroNs - decidedAtNs[slot]) * share : zeroNs;
  }

  /**
   * goOn takes a task back whose slice has ended. Where there was a CPU for everybody, the heavy ones have fallen behind and
   * the light ones got ahead though nobody was kept waiting: that is forgotten.
   */
  private goOn(slot: Slot, weight: number, execNs: number): void {
    const { queue } = this;
    if (!queue.isMember(slot)) queue.join(slot, weight);
    const restNs = execNs - this.chargedNs[slot];
    if (restNs > 0) queue.charge(slot, restNs);
    queue.findZeroLag();
    const owedNs = ((queue.zeroNs[0] - queue.vruntimeNs[slot]) * weight) / UNIT;
    if (queue.weight(slot) !== weight || owedNs > this.lagStayingNs || owedNs < -this.lagStayingNs) {
      queue.reweight(slot, weight);
    }
  }

  /** look charges what runs for what it has had, so that V is right before anybody joins. O(CPUs of the domain). */
  private look(slot: Slot): void {
    const { cpus, queue, chargedNs, state, home, times } = this;
    times[NOW] = this.tasks.enqueuedNs(slot);
    this.hasLooked = true;
    for (const cpu of cpus.own) {
      const running = cpus.slot(cpu) as Slot;
      if (running < 0 || running >= chargedNs.length) continue;
      if (!queue.isMember(running) || queue.isWaiting(running) || state.home[running] !== home) continue;
      const moreNs = times[NOW] - cpus.sinceNs(cpu) - chargedNs[running];
      if (moreNs <= 0 || moreNs > EXEC_MAX_NS) continue;
      queue.charge(running, moreNs);
      chargedNs[running] += moreNs;
    }
  }

  dispatch(room: number): void {
    const { queue } = this;
    const { size } = queue;
    this.follow();
    if (size <= room) {
      for (let index = 0; index < size; index++) this.decide(queue.waiting(index));
      queue.clear();
      this.sweep(size);
    } else {
      for (let left = room; left > 0; left--) this.decide(queue.pick());
      this.sweep(room);
    }
    this.hasLooked = false;
  }

  /** follow keeps virtual time near the domain's clock, which keys are on. */
  private follow(): void {
    const { queue, times } = this;
    queue.findZeroLag();
    const offNs = this.clock.clockNs() - queue.zeroNs[0] - times[SHIFT];
    const behindNs = BEHIND_REQUESTS * this.baseNs;
    const aheadNs = AHEAD_REQUESTS * this.baseNs;
    if (offNs > behindNs) times[SHIFT] += Math.floor(offNs - behindNs);
    else if (offNs < -aheadNs) times[SHIFT] += Math.floor(offNs + aheadNs);
  }

  /**
   * decide publishes a task. The kernel side runs what is published in order of keys, and EEVDF's order depends on V, which
   * moves meanwhile: a task that is not eligible gets the key of the latest deadline that one which is can have, so that
   * it comes after all of them.
   */
  private decide(slot: Slot): void {
    const { queue, decisions, tasks, times } = this;
    const vruntimeNs = queue.vruntimeNs[slot];
    const deadlineNs = queue.deadlineNs[slot];
    queue.findZeroLag();
    const zeroNs = queue.zeroNs[0];
    const isEligible = queue.isEligible(slot);
    let keyNs = deadlineNs;
    if (!isEligible && keyNs < vruntimeNs + this.baseNs) keyNs = vruntimeNs + this.baseNs;
    keyNs += times[SHIFT];
    this.keyNs[slot] = keyNs > 0 ? keyNs : 0;
    this.state.lagNs[slot] = zeroNs - vruntimeNs;
    this.chargedNs[slot] = 0;
    this.decidedNs[slot] = tasks.enqueuedNs(slot);
    this.decidedAtNs[slot] = zeroNs;
    const sliceUs = this.sliceOf(slot);
    const ask = tasks.askFlags(slot);
    if (this.leavesOrders) this.leaveOrder(slot, ask);
    const preempts = isEligible && (ask & WOKE) !== 0;
    decisions.publish(slot, sliceUs, CPU_ANY, preempts ? KEEP_KEY_AND_PREEMPT : KEEP_KEY);
  }

  /**
   * The rest of the request. A CPU whose task's slice ends takes the next one that waits before that task is asked about, so
   * nobody has two turns in a row: who is owed more than one request, as a heavy one among few is, has them in one.
   */
  private sliceOf(slot: Slot): number {
    const restNs = this.queue.deadlineNs[slot] - this.queue.vruntimeNs[slot];
    const lagNs = this.state.lagNs[slot];
    const toUs = this.queue.weight(slot) / (UNIT * 1000);
    const moreUs = Math.min(lagNs * toUs - this.baseUs, (TURN_REQUESTS - 1) * this.baseUs);
    const wantedUs = restNs * toUs + (moreUs > 0 ? moreUs : 0);
    if (wantedUs < SLICE_MIN_US) return SLICE_MIN_US;
    return wantedUs < SLICE_MAX_US ? Math.ceil(wantedUs) : SLICE_MAX_US;
  }

  /** On its next wake-ups it joins without lag, at the domain's clock, and asks for the same. */
  private leaveOrder(slot: Slot, ask: number): void {
    const { decisions } = this;
    const requestUs = Math.ceil(this.state.requestNs[slot] / 1000);
    if ((ask & ORDER_ENDED) === 0 && decisions.orderStands(slot, requestUs)) return;
    decisions.standing(
      slot,
      (ask & NEW) !== 0 ? FIRST_ORDER_WAKES : ORDER_WAKES,
      ORDER_VALID_MS,
      0,
      Math.ceil((requestUs * UNIT) / this.queue.weight(slot)),
      0,
      requestUs,
      CPU_ANY,
      ORDER_MAY_PREEMPT,
    );
  }

  /** sweep has members leave that sleep, are gone, or were decided by another domain: some of them each time, in turn. */
  private sweep(decided: number): void {
    const { queue, tasks, state, home } = this;
    for (let left = Math.min(decided * SWEEP, queue.nrMembers); left > 0; left--) {
      if (--this.hand < 0) this.hand = queue.nrMembers - 1;
      if (this.hand >= queue.nrMembers) this.hand = queue.nrMembers - 1;
      if (this.hand < 0) return;
      const slot = queue.member(this.hand);
      if (queue.isWaiting(slot)) continue;
      if (state.home[slot] !== home) queue.drop(slot);
      else if (!tasks.isRunnable(slot)) queue.leave(slot);
    }
  }
}

export default definePolicy({
  name: 'eevdf',
  summary: 'earliest eligible virtual deadline first, as Linux itself schedules',
  options,
  state,
  standing: 'own',
  create: (context) => new Eevdf(context),
});
