/**
 * What a policy is written with: `import { definePolicy } from 'nodeland'`. All of it may be used in a policy's hot methods,
 * except matching (TaskRules), which allocates.
 */
import { LIMIT } from '../shm/layout.generated.js';

export { z } from 'zod';
export { DECISION_FLAG, ORDER_FLAG, SLOT_FLAG, TASK_FLAG } from '../shm/layout.generated.js';
export type { CpuView } from '../shm/cpu-view.js';
export type { Slot } from '../shm/slot.js';
export type { TaskView } from '../shm/task-view.js';
export { BucketQueue } from './lib/bucket-queue.js';
export { Ewma } from './lib/ewma.js';
export {
  noFacts,
  readFacts,
  taskMatch,
  type TaskFacts,
  type TaskMatch,
  TaskRules,
} from './lib/task-rules.js';
export { VTIME_STATE, VtimeClock } from './lib/vtime-clock.js';
export { type OrderTerms, VtimeOrders } from './lib/vtime-orders.js';
export {
  type AskMode,
  type Decisions,
  definePolicy,
  type DomainClock,
  type DomainNeighbours,
  type Policy,
  type PolicyContext,
  type PolicyDefinition,
  type PolicyModule,
  type StandingMode,
  type WeightsMode,
} from './policy.js';
export { SlotFifo } from './queues/slot-fifo.js';
export { SlotHeap } from './queues/slot-heap.js';
export type { StateArrays, StateKind, StateSpec } from './state.js';

/** CPU_ANY in a decision or a standing order: any CPU of the domain. */
export const CPU_ANY = LIMIT.CPU_ANY;
