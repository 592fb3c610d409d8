/** HOT PATH: no allocation, no exceptions. */
import { LIMIT, ORDER_FLAG, TASK_FLAG } from '../../shm/layout.generated.js';
import type { Slot } from '../../shm/slot.js';
import type { Decisions } from '../policy.js';
import type { VtimeClock } from './vtime-clock.js';

const CPU_ANY = LIMIT.CPU_ANY;
const ORDER_ENDED = TASK_FLAG.ORDER_ENDED;
const MAY_PREEMPT = ORDER_FLAG.PREEMPT;

/** OrderTerms say how long orders last. */
export interface OrderTerms {
  readonly orderWakes: number;
  readonly orderValidMs: number;
}

/** VtimeOrders leaves standing orders that put a waking task where its {@link VtimeClock} would. Every operation is O(1). */
export class VtimeOrders {
  /** Indexed by slot: the offset of the order left last. */
  private readonly offsetUs: Float64Array;
  private readonly wakes: number;
  private readonly validMs: number;

  /** @param lagUs - what a task that slept keeps of its claim, and how far orders may be off before they are renewed */
  constructor(
    private readonly decisions: Decisions,
    private readonly clock: VtimeClock,
    nrSlots: number,
    private readonly lagUs: number,
    terms: OrderTerms,
  ) {
    this.offsetUs = new Float64Array(nrSlots).fill(0);
    this.wakes = terms.orderWakes;
    this.validMs = terms.orderValidMs;
  }

  /** keep renews a held task's order when it has run out, is half through its time, or is off. */
  keep(slot: Slot, ask: number, sliceUs: number, laterNs: number): void {
    const { lagUs } = this;
    const offUs = this.clock.offsetUs(slot, lagUs, laterNs) - this.offsetUs[slot];
    const isClose = offUs <= lagUs && -offUs <= lagUs;
    if ((ask & ORDER_ENDED) === 0 && isClose && this.decisions.orderStands(slot, sliceUs)) return;
    this.leave(slot, this.wakes, sliceUs, laterNs);
  }

  leave(slot: Slot, wakes: number, sliceUs: number, laterNs: number): void {
    const { lagUs } = this;
    const offsetUs = this.clock.offsetUs(slot, lagUs, laterNs);
    this.offsetUs[slot] = offsetUs;
    this.decisions.standing(slot, wakes, this.validMs, lagUs, offsetUs, 0, sliceUs, CPU_ANY, MAY_PREEMPT);
  }

  /** end makes a held task's next wake-up be asked. */
  end(slot: Slot): void {
    this.decisions.standing(slot, 0, 0, 0, 0, 0, 0, CPU_ANY, 0);
  }
}
