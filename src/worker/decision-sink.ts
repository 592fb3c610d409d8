/** HOT PATH: no allocation, no exceptions. */
import type { Decisions } from '../policy/policy.js';
import type { DecisionRing } from '../shm/decision-ring.js';
import type { HeldTasks } from '../shm/held-tasks.js';
import { WORKER_STAT } from '../shm/layout.generated.js';
import type { Slot } from '../shm/slot.js';
import type { StandingOrders } from '../shm/standing-orders.js';
import type { TaskView } from '../shm/task-view.js';
import type { WorkerStatus } from '../shm/worker-status.js';

/** DecisionSink carries a policy's decisions to the ring, each with the names of the wait it answers. */
export class DecisionSink implements Decisions {
  private room = 0;

  constructor(
    private readonly ring: DecisionRing,
    private readonly held: HeldTasks,
    private readonly orders: StandingOrders,
    private readonly tasks: TaskView,
    private readonly status: WorkerStatus,
    private readonly leavesOrders: boolean,
  ) {}

  /** open allows decisions up to the ring's room, and returns that room. */
  open(): number {
    this.room = this.ring.room(this.held.count);
    return this.room;
  }

  publish(slot: Slot, keyNs: number, sliceUs: number, cpu: number, flags: number): boolean {
    if (this.room <= 0 || !this.held.drop(slot)) {
      this.status.countEvent(WORKER_STAT.POLICY_ERRORS);
      return false;
    }
    this.room--;
    this.ring.put(slot, this.held.enq(slot), this.held.generation(slot), cpu, sliceUs, keyNs, flags);
    return true;
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
    const expiresMs = this.tasks.enqueuedNs(slot) / 1e6 + validMs;
    this.orders.leave(slot, wakes, expiresMs, lagUs, offsetUs, execCapUs, sliceUs, cpu, flags);
    return true;
  }
}
