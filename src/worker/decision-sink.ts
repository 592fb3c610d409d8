/** HOT PATH: no allocation, no exceptions. */
import type { Decisions } from '../policy/policy.js';
import type { DecisionRing } from '../shm/decision-ring.js';
import type { HeldTasks } from '../shm/held-tasks.js';
import { WORKER_STAT } from '../shm/layout.generated.js';
import type { Slot } from '../shm/slot.js';
import type { StandingOrders } from '../shm/standing-orders.js';
import type { WorkerStatus } from '../shm/worker-status.js';

/** DecisionSink carries a policy's decisions to the ring, each with the names of the wait it answers. */
export class DecisionSink implements Decisions {
  readonly keyNs: Float64Array;

  constructor(
    private readonly ring: DecisionRing,
    private readonly held: HeldTasks,
    private readonly orders: StandingOrders,
    private readonly status: WorkerStatus,
    private readonly leavesOrders: boolean,
  ) {
    this.keyNs = new Float64Array(held.nrSlots).fill(0);
  }

  /** open allows decisions up to the ring's room, and returns that room. */
  open(): number {
    const { ring } = this;
    const room = ring.room(this.held.count);
    ring.open(room);
    return room;
  }

  publish(slot: Slot, sliceUs: number, cpu: number, flags: number): boolean {
    const done = this.ring.put(slot, this.held, this.keyNs, sliceUs, cpu, flags);
    if (!done) this.status.countEvent(WORKER_STAT.POLICY_ERRORS);
    return done;
  }

  /** close makes the decisions visible and tells how many they are. */
  close(): number {
    const published = this.ring.publish();
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
    this.orders.leave(slot, wakes, validMs, lagUs, offsetUs, execCapUs, sliceUs, cpu, flags);
    return true;
  }

  orderStands(slot: Slot, sliceUs: number): boolean {
    return this.leavesOrders && this.held.holds(slot) && this.orders.stands(slot, sliceUs);
  }
}
