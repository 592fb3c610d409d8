/**
 * The balancer's beat, in the main thread: measures, plans, and writes into slots where tasks are to be queued next. The
 * kernel side follows when a task wakes or its slice ends; what has not moved by the next beat is taken back.
 */
import type { Domain } from '../domain/plan.js';
import type { Arena } from '../shm/arena.js';
import { SLOT } from '../shm/layout.generated.js';
import { BETWEEN_NODES, type DomainLoad, type Move, planMoves, WITHIN_NODE } from './plan-moves.js';
import { TaskLoads } from './task-loads.js';

/** So many beats a task stays where it was sent, or was not to be had. */
const STAY_BEATS = 4;
const SERIAL_SHIFT = 8;

/** BalanceCounts is what the balancer did so far. */
export interface BalanceCounts {
  readonly beats: number;
  /** Beats that found something to move. */
  readonly uneven: number;
  readonly sent: number;
  /** Sent, but neither woke nor came to the end of a slice until the next beat: they stayed. */
  readonly withdrawn: number;
}

/** Balancer evens load out between domains. Main thread only; a beat on an even machine allocates nothing. */
export class Balancer {
  private readonly loads: TaskLoads;
  private readonly stayUntil: Uint32Array;
  private pending: readonly (Move & { readonly name: number })[] = [];
  private beats = 0;
  private uneven = 0;
  private sent = 0;
  private withdrawn = 0;

  /** @param cpuCapacity - of each CPU by its number, 1024 is the fastest kind */
  constructor(
    private readonly arena: Arena,
    private readonly domains: readonly Domain[],
    cpuCapacity: Float64Array,
  ) {
    this.loads = new TaskLoads(arena, cpuCapacity);
    this.stayUntil = new Uint32Array(arena.nrSlots);
  }

  get counts(): BalanceCounts {
    const { beats, uneven, sent, withdrawn } = this;
    return { beats, uneven, sent, withdrawn };
  }

  /** beat measures and moves; the moves it asked for, none when loads are even. */
  beat(): readonly Move[] {
    this.beats++;
    this.withdraw();
    this.loads.look();
    if (!this.isUneven()) return this.pending;
    this.uneven++;
    const tasks = this.loads.movable().filter(({ slot }) => this.stayUntil[slot] <= this.beats);
    this.pending = planMoves(this.domainLoads(), tasks).map((move) => ({
      ...move,
      name: this.loads.nameOf(move.slot),
    }));
    for (const { slot, to } of this.pending) {
      this.write(slot, to + 1);
      this.stayUntil[slot] = this.beats + STAY_BEATS;
    }
    this.sent += this.pending.length;
    return this.pending;
  }

  /** Takes back what was not followed: an old word would move a task that sleeps now when it is no longer wanted. */
  private withdraw(): void {
    if (this.pending.length === 0) return;
    for (const { slot, to, name } of this.pending) {
      if (this.loads.nameOf(slot) !== name || this.loads.domainOf(slot) === to) continue;
      this.write(slot, 0);
      this.withdrawn++;
    }
    this.pending = [];
  }

  private write(slot: number, domainPlusOne: number): void {
    const { words, slotsWord } = this.arena;
    const at = slotsWord + slot * SLOT.words + SLOT.word.target;
    const serial = (words[at] >>> SERIAL_SHIFT) + 1;
    words[at] = (serial << SERIAL_SHIFT) | domainPlusOne;
  }

  /** Whether some domain is far enough from its node's average, or its node from all nodes', for planMoves to look. */
  private isUneven(): boolean {
    const { load, capacity } = this.loads;
    let [allLoad, allCapacity] = [0, 0];
    for (const { id } of this.domains) {
      allLoad += load[id];
      allCapacity += capacity[id];
    }
    const average = allLoad / allCapacity;
    for (const { node } of this.domains) {
      let [nodeLoad, nodeCapacity] = [0, 0];
      for (const other of this.domains) {
        if (other.node !== node) continue;
        nodeLoad += load[other.id];
        nodeCapacity += capacity[other.id];
      }
      const nodeAverage = nodeLoad / nodeCapacity;
      if (Math.abs(nodeAverage - average) > BETWEEN_NODES * average) return true;
      for (const other of this.domains) {
        if (other.node !== node) continue;
        if (Math.abs(load[other.id] / capacity[other.id] - nodeAverage) > WITHIN_NODE * nodeAverage)
          return true;
      }
    }
    return false;
  }

  private domainLoads(): DomainLoad[] {
    const { load, capacity, duty } = this.loads;
    return this.domains.map(({ id, node, distances }) => ({
      id,
      node,
      distances,
      capacity: capacity[id],
      load: load[id],
      duty: duty[id],
    }));
  }
}
