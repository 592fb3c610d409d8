/** How much each task wants to run lately, from the slot table. Main thread only; a look allocates nothing. */
import { type Arena, readU64 } from '../shm/arena.js';
import { CPU, HEADER, OWNER, SLOT, SLOT_FLAG } from '../shm/layout.generated.js';
import type { TaskLoad } from './plan-moves.js';

const W = SLOT.word;
/** After so long half of what a task did still counts. */
const HALF_LIFE_MS = 1_000;
/** Less than this share of a CPU is not worth a move. */
const LEAST_DUTY = 0.02;
const NO_NODE = 0xffffffff;
const NS_PER_MS = 1e6;

/**
 * TaskLoads keeps each task's duty: the share of time in which it was runnable (running or waiting), as a decaying
 * average over looks. A word read while the kernel side changes it spoils one look of one task at most.
 */
export class TaskLoads {
  /** By domain, of all tasks in it, those that cannot be moved as well. */
  readonly load: Float64Array;
  readonly duty: Float64Array;
  /** In CPUs of the fastest kind that are online. */
  readonly capacity: Float64Array;
  private readonly duties: Float32Array;
  private readonly runnableNs: Float64Array;
  /** generation + 1 of the task a slot's duty is about, 0: none. */
  private readonly known: Uint32Array;
  /** Looks at that task so far, at most 255. */
  private readonly looks: Uint8Array;
  private lookedNs = 0;
  private end = 0;

  /** @param cpuCapacity - of each CPU by its number, 1024 is the fastest kind */
  constructor(
    private readonly arena: Arena,
    private readonly cpuCapacity: Float64Array,
  ) {
    const { nrDomains, nrSlots } = arena;
    this.load = new Float64Array(nrDomains);
    this.duty = new Float64Array(nrDomains);
    this.capacity = new Float64Array(nrDomains);
    this.duties = new Float32Array(nrSlots);
    this.runnableNs = new Float64Array(nrSlots);
    this.known = new Uint32Array(nrSlots);
    this.looks = new Uint8Array(nrSlots);
  }

  /** look reads the slots that are in use. O(slots up to the last one in use + CPUs). */
  look(): void {
    const { words, nrSlots, slotsWord } = this.arena;
    const nowNs = readU64(words, HEADER.word.nowNs);
    const elapsedNs = nowNs - this.lookedNs;
    this.load.fill(0);
    this.duty.fill(0);
    this.sumCapacity();
    if (elapsedNs <= 0) return;
    const recent = 1 - 2 ** (-elapsedNs / NS_PER_MS / HALF_LIFE_MS);
    let left = words[HEADER.word.slotsUsed];
    let slot = 0;
    for (; slot < nrSlots && left > 0; slot++) {
      const at = slotsWord + slot * SLOT.words;
      if (words[at + W.owner] === OWNER.FREE) {
        this.known[slot] = 0;
        continue;
      }
      left--;
      this.lookAt(slot, at, nowNs, elapsedNs, recent);
    }
    this.end = slot;
    this.lookedNs = nowNs;
  }

  private lookAt(slot: number, at: number, nowNs: number, elapsedNs: number, recent: number): void {
    const { words, nrDomains } = this.arena;
    const name = words[at + W.generation] + 1;
    const sinceNs = readU64(words, at + W.runnableSinceNs);
    const totalNs = readU64(words, at + W.runnableNs) + (sinceNs > 0 ? Math.max(nowNs - sinceNs, 0) : 0);
    const isNew = this.known[slot] !== name;
    const ranNs = totalNs - (isNew ? 0 : this.runnableNs[slot]);
    const now = Math.min(Math.max(ranNs / elapsedNs, 0), 1);
    const before = isNew ? now : this.duties[slot];
    const duty = before + (now - before) * recent;
    this.known[slot] = name;
    this.looks[slot] = isNew ? 1 : Math.min(this.looks[slot] + 1, 255);
    this.runnableNs[slot] = totalNs;
    this.duties[slot] = duty;
    const domain = words[at + W.domain];
    if (domain >= nrDomains) return;
    this.load[domain] += duty * words[at + W.weight];
    this.duty[domain] += duty;
  }

  private sumCapacity(): void {
    const { words, nrCpus, nrDomains, cpusWord } = this.arena;
    this.capacity.fill(0);
    for (let cpu = 0; cpu < nrCpus; cpu++) {
      const at = cpusWord + cpu * CPU.words;
      const domain = words[at + CPU.word.domain];
      if (domain < nrDomains && words[at + CPU.word.online] !== 0) {
        this.capacity[domain] += this.cpuCapacity[cpu] / 1024;
      }
    }
  }

  /** domainOf is where a slot's task was last. */
  domainOf(slot: number): number {
    return this.arena.words[this.arena.slotsWord + slot * SLOT.words + W.domain];
  }

  /** nameOf changes when the slot gets another task. */
  nameOf(slot: number): number {
    return this.known[slot];
  }

  /** movable gives the tasks that may move: seen twice, not bound to a CPU, and worth it. */
  movable(): TaskLoad[] {
    const { words, slotsWord } = this.arena;
    const found: TaskLoad[] = [];
    for (let slot = 0; slot < this.end; slot++) {
      const at = slotsWord + slot * SLOT.words;
      const duty = this.duties[slot];
      if (this.known[slot] === 0 || this.looks[slot] < 2 || duty < LEAST_DUTY) continue;
      if ((words[at + W.flags] & SLOT_FLAG.BOUND) !== 0) continue;
      const node = words[at + W.numaNode];
      found.push({
        slot,
        domain: words[at + W.domain],
        load: duty * words[at + W.weight],
        duty,
        allowedLow: words[at + W.allowedDomains],
        allowedHigh: words[at + W.allowedDomains + 1],
        node: node === NO_NODE ? -1 : node,
      });
    }
    return found;
  }
}
