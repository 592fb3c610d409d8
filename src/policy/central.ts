/** HOT PATH (enqueue, dispatch, tick): no allocation, no exceptions. */
import type { z } from 'zod';
import type { CpuView } from '../shm/cpu-view.js';
import { DECISION_FLAG, LIMIT } from '../shm/layout.generated.js';
import type { Slot } from '../shm/slot.js';
import type { TaskView } from '../shm/task-view.js';
import { type Decisions, definePolicy, type DomainClock, type Policy, type PolicyContext } from './policy.js';
import { SlotFifo } from './queues/slot-fifo.js';
import { SlotList } from './queues/slot-list.js';
import type { StateArrays } from './state.js';

const CPU_ANY = LIMIT.CPU_ANY;
const SLICE_US = LIMIT.SLICE_MAX_US;
const RUN_OUT = DECISION_FLAG.RUN_OUT;
const TICK_MS = 5;

const options = (zod: typeof z) =>
  zod.strictObject({
    /** Who runs for longer while another waits for longer gives way: in microseconds, counted in ticks of 5 ms. */
    quantumUs: zod
      .int()
      .min(TICK_MS * 1000)
      .max(10_000_000)
      .default(20_000),
  });

const state = {
  /** The tick at which its last decision was published. */
  decidedTick: 'u32',
} as const;

/**
 * central has one CPU decide for all of a domain, after scx_central of the kernel's tree (tools/sched_ext/scx_central.bpf.c):
 * tasks run in order of arrival with slices as long as there are, so that a CPU with one task is left alone; the CPU that
 * decides looks at all others from time to time, and interrupts who has run for a quantum when somebody waits for as long.
 */
class Central implements Policy {
  private readonly tasks: TaskView;
  private readonly cpus: CpuView;
  private readonly decisions: Decisions;
  private readonly keyNs: Float64Array;
  private readonly clock: DomainClock;
  private readonly state: StateArrays<typeof state>;
  private readonly held: SlotFifo;
  /** Published, and when last looked at not yet running; the oldest first. */
  private readonly waiting: SlotList;
  private readonly quantumTicks: number;
  private ticks = 0;
  /** By CPU: when what runs there began, and at which tick that was first seen. */
  private readonly seenNs: Float64Array;
  private readonly seenTick: Int32Array;
  /** [0]: the last key given out. */
  private readonly last = new Float64Array(1);

  constructor(context: PolicyContext<z.output<ReturnType<typeof options>>, typeof state>) {
    const { nrSlots, cpus } = context;
    this.tasks = context.tasks;
    this.cpus = cpus;
    this.decisions = context.decisions;
    this.keyNs = context.decisions.keyNs;
    this.clock = context.clock;
    this.state = context.state;
    this.held = new SlotFifo(nrSlots);
    this.waiting = new SlotList(nrSlots);
    this.quantumTicks = Math.ceil(context.options.quantumUs / (TICK_MS * 1000));
    this.seenNs = new Float64Array(cpus.nrCpus).fill(-1);
    this.seenTick = new Int32Array(cpus.nrCpus).fill(0);
  }

  enqueue(slot: Slot): void {
    this.waiting.remove(slot);
    this.held.push(slot);
  }

  dispatch(room: number): void {
    const { held, waiting, decisions, keyNs, last, state } = this;
    const count = held.size < room ? held.size : room;
    const clockNs = this.clock.clockNs();
    let key = clockNs > last[0] ? clockNs : last[0];
    for (let index = 0; index < count; index++) {
      const slot = held.shift();
      key += 1;
      keyNs[slot] = key;
      state.decidedTick[slot] = this.ticks;
      if (decisions.publish(slot, SLICE_US, CPU_ANY, RUN_OUT)) waiting.push(slot);
    }
    last[0] = key;
  }

  /** tick interrupts one CPU for each task that has waited for a quantum. O(published + CPUs of the domain * those). */
  tick(): void {
    const { waiting, tasks, state, quantumTicks } = this;
    this.ticks = (this.ticks + 1) | 0;
    this.look();
    let slot = waiting.first();
    while (slot >= 0) {
      const next = waiting.next(slot as Slot);
      if (!tasks.isQueued(slot as Slot)) waiting.remove(slot as Slot);
      else if (((this.ticks - state.decidedTick[slot]) | 0) < quantumTicks || !this.interrupt()) return;
      slot = next;
    }
  }

  /** look notes which CPUs run something else than at the last tick. */
  private look(): void {
    const { cpus, seenNs, seenTick, ticks } = this;
    for (const cpu of cpus.own) {
      const sinceNs = cpus.slot(cpu) < 0 ? -1 : cpus.sinceNs(cpu);
      if (sinceNs === seenNs[cpu]) continue;
      seenNs[cpu] = sinceNs;
      seenTick[cpu] = ticks;
    }
  }

  /** interrupt has the CPU look for work that ran one task for longest; false when none did for a quantum. */
  private interrupt(): boolean {
    const { cpus, seenNs, seenTick, ticks, quantumTicks } = this;
    let victim = -1;
    let most = quantumTicks;
    for (const cpu of cpus.own) {
      const ran = (ticks - seenTick[cpu]) | 0;
      if (seenNs[cpu] < 0 || ran < most || (ran === most && victim >= 0)) continue;
      most = ran;
      victim = cpu;
    }
    if (victim < 0 || !this.decisions.kick(victim, true)) return false;
    // One interruption is enough, also if it lets the same task go on.
    seenTick[victim] = ticks;
    return true;
  }
}

export default definePolicy({
  name: 'central',
  summary: 'one CPU decides, the others run undisturbed for as long as nobody waits',
  options,
  state,
  standing: 'none',
  weights: 'ordered',
  tickMs: TICK_MS,
  create: (context) => new Central(context),
});
