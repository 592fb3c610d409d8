/**
 * HOT PATH: no allocation, no exceptions, no closures, one fence and two atomic stores per batch.
 *
 * One batch of one domain: take, decide, publish.
 *   1. Count the committed entries. None and nothing held: done.
 *   2. Fence (status.busy). Progress moves and the state is BUSY: tasks are held from here on, as far as the kernel
 *      side knows they may be anywhere between its ring and the decision ring.
 *   3. Note each record in HeldTasks and hand its slot to the policy.
 *   4. The policy publishes what it likes, within the decision ring's room.
 *   5. Store the decision ring's tail. Invariant: decisions are visible before the state says READY.
 *   6. READY if nothing is held, or if there was room for all and the policy decided none: asking it again at once
 *      changes nothing, and the kernel side takes back what is kept for too long. Else a wake request of its own, so that
 *      it is not parked with tasks to decide. Then store the task ring's head, which makes either visible.
 */
import type { Policy, PolicyContext, PolicyDefinition, AskMode } from '../policy/policy.js';
import { type Arena, domainPlace } from '../shm/arena.js';
import { DecisionRing } from '../shm/decision-ring.js';
import { HeldTasks } from '../shm/held-tasks.js';
import { WORKER_STAT } from '../shm/layout.generated.js';
import type { Slot } from '../shm/slot.js';
import { StandingOrders } from '../shm/standing-orders.js';
import { TaskRing } from '../shm/task-ring.js';
import { TaskView } from '../shm/task-view.js';
import { WorkerStatus } from '../shm/worker-status.js';
import { DecisionSink } from './decision-sink.js';

/** How many records are taken at once. Larger batches cost latency, smaller ones atomics. */
export const BATCH_TASKS = 128;

/** DomainSettings are what a domain's loop is made from, beside the memory. */
export interface DomainSettings {
  readonly domain: number;
  readonly policy: PolicyDefinition;
  readonly ask: AskMode;
  readonly sliceUs: number;
}

/** DomainLoop is one domain's policy with its rings. Single-threaded: made and used in the domain's worker. */
export class DomainLoop {
  readonly status: WorkerStatus;
  readonly policy: Policy;
  private readonly tasks: TaskRing;
  private readonly held: HeldTasks;
  private readonly sink: DecisionSink;
  /** Tasks are held that another turn may decide. */
  private wantsTurn = false;
  /** The slots of a batch that the policy is told of. */
  private readonly told = new Uint32Array(BATCH_TASKS).fill(0);

  /** @throws ArenaError, or whatever the policy's create throws. */
  constructor(arena: Arena, settings: DomainSettings) {
    const place = domainPlace(arena, settings.domain);
    this.status = new WorkerStatus(arena, place);
    this.tasks = new TaskRing(arena, place);
    const decisions = new DecisionRing(arena, place);
    this.held = new HeldTasks(arena.nrSlots);
    const view = new TaskView(arena, this.held);
    const orders = new StandingOrders(arena);
    const leavesOrders = settings.ask !== 'always';
    this.sink = new DecisionSink(decisions, this.held, orders, this.status, leavesOrders);
    const context: PolicyContext = {
      domain: settings.domain,
      nrCpus: place.nrCpus,
      nrSlots: arena.nrSlots,
      sliceUs: settings.sliceUs,
      ask: settings.ask,
      tasks: view,
      decisions: this.sink,
      clock: this.status,
    };
    this.policy = settings.policy.create(context);
  }

  /**
   * batch does the six steps once and tells how many decisions it published.
   *
   * @throws whatever the policy throws; the loop is then unusable.
   */
  batch(): number {
    const { tasks, held, policy, status } = this;
    const taken = tasks.committed(BATCH_TASKS);
    if (taken === 0 && held.count === 0) return 0;
    status.busy();
    const list = this.told;
    const told = tasks.take(taken, held, list);
    for (let index = 0; index < told; index++) policy.enqueue((list[index] | 0) as Slot);
    const wanted = held.count;
    const room = this.sink.open();
    if (room > 0) policy.dispatch(room);
    else status.countEvent(WORKER_STAT.DECISION_RING_FULL);
    const published = this.sink.close();
    status.countBatch(taken, published);
    this.wantsTurn = held.count !== 0 && (room < wanted || published !== 0);
    if (this.wantsTurn) status.wakeMe();
    else status.ready();
    tasks.release(taken);
    return published;
  }

  /** hasWork tells, with an atomic load, whether another batch now would come to anything. */
  hasWork(): boolean {
    return this.wantsTurn || this.tasks.ready();
  }
}
