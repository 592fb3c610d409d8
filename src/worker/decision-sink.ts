/** HOT PATH: no allocation, no exceptions. */
import type { HandOff } from '../handoff/hand-off.js';
import type { Decisions, StandingMode } from '../policy/policy.js';
import type { DecisionRing } from '../shm/decision-ring.js';
import type { HeldTasks } from '../shm/held-tasks.js';
import { DECISION_FLAG, LIMIT, ORDER_FLAG, TASK_FLAG, WORKER_STAT } from '../shm/layout.generated.js';
import type { Slot } from '../shm/slot.js';
import type { StandingOrders } from '../shm/standing-orders.js';
import type { TaskView } from '../shm/task-view.js';
import type { WorkerStatus } from '../shm/worker-status.js';

const ORDER_ENDED = TASK_FLAG.ORDER_ENDED;
const PREEMPT = DECISION_FLAG.PREEMPT;
const NEAR = DECISION_FLAG.NEAR;
const KICK = DECISION_FLAG.KICK;
const CPU_ANY = LIMIT.CPU_ANY;
const ORDER_MAY_PREEMPT = ORDER_FLAG.PREEMPT;

/** A standing order made from a decision: valid for so long ... */
const AUTO_WAKES = 64;
const AUTO_VALID_MS = 1000;
/** ... counting execution since wake up to so many slices, as the kernel side does for what it orders itself ... */
const AUTO_EXEC_CAP_SLICES = 100;
const EXEC_CAP_MAX_US = 2_000_000;
/** ... and as far behind the default deadline as the decision was, within this. */
const OFFSET_MAX_US = 2_000_000;

/** SinkParts are what decisions go through. */
export interface SinkParts {
  readonly ring: DecisionRing;
  readonly held: HeldTasks;
  readonly orders: StandingOrders;
  readonly status: WorkerStatus;
  readonly tasks: TaskView;
  readonly handOff: HandOff;
  /** The default slice. */
  readonly sliceUs: number;
  readonly standing: StandingMode;
}

/** DecisionSink carries a policy's decisions to the ring, each with the names of the wait it answers. */
export class DecisionSink implements Decisions {
  readonly keyNs: Float64Array;
  private readonly ring: DecisionRing;
  private readonly held: HeldTasks;
  private readonly orders: StandingOrders;
  private readonly status: WorkerStatus;
  private readonly tasks: TaskView;
  private readonly handOffs: HandOff;
  private readonly sliceUs: number;
  private readonly execCapUs: number;
  private readonly leavesOrders: boolean;
  private readonly makesOrders: boolean;
  /** Entries of this batch that are no decisions. */
  private requests = 0;
  /** By slot: 1 where the policy left an order itself, until it decides the task. */
  private readonly ordered: Uint8Array;
  /** [slot]: its default deadline, while an order is made. */
  private readonly deadlineNs: Float64Array;

  constructor(parts: SinkParts) {
    this.ring = parts.ring;
    this.held = parts.held;
    this.orders = parts.orders;
    this.status = parts.status;
    this.tasks = parts.tasks;
    this.handOffs = parts.handOff;
    this.sliceUs = parts.sliceUs;
    this.execCapUs = Math.min(parts.sliceUs * AUTO_EXEC_CAP_SLICES, EXEC_CAP_MAX_US);
    this.leavesOrders = parts.standing !== 'none';
    this.makesOrders = parts.standing === 'auto';
    this.keyNs = new Float64Array(parts.held.nrSlots).fill(0);
    const nrOrders = this.makesOrders ? parts.held.nrSlots : 0;
    this.ordered = new Uint8Array(nrOrders).fill(0);
    this.deadlineNs = new Float64Array(nrOrders).fill(0);
  }

  /** open allows decisions up to the ring's room, and returns that room. */
  open(): number {
    const { ring } = this;
    const room = ring.room(this.held.count);
    ring.open(room);
    return room;
  }

  publish(slot: Slot, sliceUs: number, cpu: number, flags: number): boolean {
    if (this.makesOrders) this.makeOrder(slot, sliceUs, cpu, flags);
    const done = this.ring.put(slot, this.held, this.keyNs, sliceUs, cpu, flags);
    if (!done) this.status.countEvent(WORKER_STAT.POLICY_ERRORS);
    return done;
  }

  /** close makes the decisions visible and tells how many they are. */
  close(): number {
    const published = this.ring.publish() - this.requests;
    this.requests = 0;
    this.held.count -= published;
    return published;
  }

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
  ): boolean {
    if (!this.leavesOrders || !this.held.holds(slot)) return false;
    if (this.makesOrders) this.ordered[slot] = 1;
    this.orders.leave(slot, wakes, validMs, lagUs, offsetUs, execCapUs, sliceUs, cpu, flags);
    return true;
  }

  orderStands(slot: Slot, sliceUs: number): boolean {
    return this.leavesOrders && this.held.holds(slot) && this.orders.stands(slot, sliceUs);
  }

  handOff(slot: Slot, domain: number): boolean {
    return this.handOffs.offer(slot, domain);
  }

  kick(cpu: number, preempt: boolean): boolean {
    return this.request(0, cpu, preempt ? KICK | PREEMPT : KICK);
  }

  /** request writes an entry about no task; false when there is no room. */
  request(word: number, cpu: number, flags: number): boolean {
    if (!this.ring.request(word, cpu, flags)) return false;
    this.requests = (this.requests + 1) | 0;
    return true;
  }

  /** The decision's slice, CPU and preemption for the next wake-ups, as far behind the default deadline as its key is. */
  private makeOrder(slot: Slot, sliceUs: number, cpu: number, flags: number): void {
    const { held, orders, ordered, deadlineNs, execCapUs } = this;
    if (!held.holds(slot)) return;
    if (ordered[slot] !== 0) {
      ordered[slot] = 0;
      return;
    }
    if ((held.flags(slot) & ORDER_ENDED) === 0 && orders.stands(slot, sliceUs)) return;
    this.tasks.deadlineInto(slot, execCapUs * 1000, deadlineNs);
    const behindUs = (this.keyNs[slot] - deadlineNs[slot]) / 1000;
    const offsetUs = behindUs > 0 ? (behindUs < OFFSET_MAX_US ? behindUs | 0 : OFFSET_MAX_US) : 0;
    const orderCpu = (flags & NEAR) !== 0 ? CPU_ANY : cpu;
    const orderFlags = (flags & PREEMPT) !== 0 ? ORDER_MAY_PREEMPT : 0;
    orders.leave(
      slot,
      AUTO_WAKES,
      AUTO_VALID_MS,
      this.sliceUs,
      offsetUs,
      execCapUs,
      sliceUs,
      orderCpu,
      orderFlags,
    );
  }
}
