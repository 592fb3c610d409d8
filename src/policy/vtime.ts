/** HOT PATH (enqueue, dispatch): no allocation, no exceptions. */
import type { z } from 'zod';
import { DECISION_FLAG, LIMIT, ORDER_FLAG, TASK_FLAG } from '../shm/layout.generated.js';
import type { Slot } from '../shm/slot.js';
import type { TaskView } from '../shm/task-view.js';
import { EarliestFirst } from './lib/earliest-first.js';
import { definePolicy, type PolicyContext } from './policy.js';

// Imported names are looked up at each use; these are constants to the compiler.
const CPU_ANY = LIMIT.CPU_ANY;
const WOKE = TASK_FLAG.WAKEUP;
const ORDER_ENDED = TASK_FLAG.ORDER_ENDED;
const MAY_PREEMPT = DECISION_FLAG.PREEMPT;
const ORDER_MAY_PREEMPT = ORDER_FLAG.PREEMPT;
const WEIGHT_DEFAULT = 100;

const options = (zod: typeof z) =>
  zod.strictObject({
    execCapSlices: zod
      .number()
      .min(0)
      .max(1000)
      .default(100)
      .describe(
        "weighted execution since its last wake-up delays a task's deadline by at most so many default slices",
      ),
    sliceSpread: zod
      .number()
      .min(1)
      .max(100)
      .default(4)
      .describe(
        'a slice is the default slice times weight / 100, between the default divided and multiplied by this',
      ),
    orderWakes: zod
      .int()
      .min(1)
      .max(1_000_000)
      .default(1024)
      .describe('a standing order is valid for so many wake-ups'),
    orderValidMs: zod.int().min(1).max(60_000).default(1000).describe('and for so many milliseconds'),
  });

type VtimeOptions = z.output<ReturnType<typeof options>>;

/**
 * vtime schedules as scx_rustland does (scheds/rust/scx_rustland/src/main.rs): earliest deadline first, where
 *
 *     deadline = vtime + min(execution since wake * 100 / weight, 100 slices)
 *
 * but for the bound, which is on the weighted time here: there it is on the time itself, and of tasks that never sleep
 * the light ones then get too little until they come to it, which takes minutes.
 *
 * vtime is a task's weighted execution time. The kernel side charges it (ran * 100 / weight) and keeps a sleeper from
 * saving up more than one slice of lag. Tasks that sleep often have run little since they woke, so they come early.
 * It leaves a standing order saying the same for the task's next wake-ups, and renews it when it has run
 * out or half its time is over.
 */
class Vtime extends EarliestFirst {
  private readonly tasks: TaskView;
  private readonly leavesOrders: boolean;
  private readonly sliceUs: number;
  private readonly sliceMinUs: number;
  private readonly sliceMaxUs: number;
  private readonly execCapUs: number;
  private readonly execCapNs: number;
  private readonly orderWakes: number;
  private readonly orderValidMs: number;

  constructor(context: PolicyContext<VtimeOptions>) {
    super(context);
    const { sliceUs, options } = context;
    this.tasks = context.tasks;
    this.leavesOrders = context.ask !== 'always';
    this.sliceUs = sliceUs;
    this.sliceMinUs = Math.max(LIMIT.SLICE_MIN_US, Math.floor(sliceUs / options.sliceSpread));
    this.sliceMaxUs = Math.min(LIMIT.SLICE_MAX_US, sliceUs * options.sliceSpread);
    // Bounded so that it stays a small integer in nanoseconds as well (2^31 ns), where V8 does not box it.
    this.execCapUs = Math.min(sliceUs * options.execCapSlices, 2_000_000);
    this.execCapNs = this.execCapUs * 1000;
    this.orderWakes = options.orderWakes;
    this.orderValidMs = options.orderValidMs;
  }

  enqueue(slot: Slot): void {
    this.tasks.deadlineInto(slot, this.execCapNs, this.keyNs);
    this.queue.push(slot);
  }

  protected decide(slot: Slot): void {
    const { decisions, tasks } = this;
    const weight = tasks.weight(slot) | 0;
    const sliceUs = weight === WEIGHT_DEFAULT ? this.sliceUs : this.sliceOf(weight);
    const ask = tasks.askFlags(slot);
    if (this.leavesOrders && ((ask & ORDER_ENDED) !== 0 || !decisions.orderStands(slot, sliceUs))) {
      this.leaveOrder(slot, sliceUs);
    }
    decisions.publish(slot, sliceUs, CPU_ANY, (ask & WOKE) !== 0 ? MAY_PREEMPT : 0);
  }

  private leaveOrder(slot: Slot, sliceUs: number): void {
    this.decisions.standing(
      slot,
      this.orderWakes,
      this.orderValidMs,
      this.sliceUs,
      0,
      this.execCapUs,
      sliceUs,
      CPU_ANY,
      ORDER_MAY_PREEMPT,
    );
  }

  private sliceOf(weight: number): number {
    const sliceUs = ((this.sliceUs * weight) / WEIGHT_DEFAULT) | 0;
    if (sliceUs < this.sliceMinUs) return this.sliceMinUs;
    return sliceUs > this.sliceMaxUs ? this.sliceMaxUs : sliceUs;
  }
}

export default definePolicy({
  name: 'vtime',
  summary: 'earliest deadline by weighted execution time, as scx_rustland schedules',
  options,
  standing: 'own',
  create: (context) => new Vtime(context),
});
