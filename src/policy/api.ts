/** What policies import from 'nodeland'. */
import { LIMIT } from '../shm/layout.generated.js';

export { z } from 'zod';
export { DECISION_FLAG, ORDER_FLAG, TASK_FLAG } from '../shm/layout.generated.js';
export type { CpuView } from '../shm/cpu-view.js';
export type { Slot } from '../shm/slot.js';
export type { TaskView } from '../shm/task-view.js';
export type { Decisions, DomainClock, Policy, PolicyContext, PolicyModule } from './policy.js';
export { definePolicy } from './policy.js';
export { SlotFifo } from './queues/slot-fifo.js';
export { SlotHeap } from './queues/slot-heap.js';
export type { StateArrays, StateSpec } from './state.js';

/** CPU_ANY leaves the CPU to the kernel side. */
export const CPU_ANY = LIMIT.CPU_ANY;
