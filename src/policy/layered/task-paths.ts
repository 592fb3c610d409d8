/** The facts about tasks that take system calls: found in ticks, never while a task waits to be decided. */
import { readlinkSync } from 'node:fs';
import type { Slot } from '../../shm/slot.js';
import type { TaskView } from '../../shm/task-view.js';
import type { TaskFacts } from '../lib/task-rules.js';
import { SlotFifo } from '../queues/slot-fifo.js';
import { CgroupPaths } from './cgroup-paths.js';

/** In one tick at most: readlink and stat take some microseconds each. */
const TASKS_PER_TICK = 64;
const DIRECTORIES_PER_TICK = 32;

/** TaskPaths knows the cgroup paths and executables of one domain's tasks, or will soon. */
export class TaskPaths {
  private readonly cgroups: CgroupPaths;
  private readonly queue: SlotFifo;
  /** Indexed by slot: 1 while a path is being found, that nobody has asked for since. */
  private readonly waiting: Uint8Array;
  /** Of the task that is or was waited for. */
  private readonly pids: Uint32Array;
  private readonly identities: Float64Array;
  private readonly cgroupIds: Float64Array;
  private readonly execs: (string | undefined)[];

  constructor(
    nrSlots: number,
    cgroupRoot: string,
    private readonly needs: { readonly cgroup: boolean; readonly exec: boolean },
  ) {
    this.cgroups = new CgroupPaths(cgroupRoot);
    this.queue = new SlotFifo(nrSlots);
    this.waiting = new Uint8Array(nrSlots);
    this.pids = new Uint32Array(nrSlots);
    this.identities = new Float64Array(nrSlots).fill(-1);
    this.cgroupIds = new Float64Array(nrSlots);
    this.execs = new Array<string | undefined>(nrSlots).fill(undefined);
  }

  /** isWaiting tells whether asking again is of no use yet. */
  isWaiting(slot: Slot): boolean {
    return this.waiting[slot] !== 0;
  }

  /** fill writes what is known of a held task into its facts, and begins to find the rest. */
  fill(tasks: TaskView, slot: Slot, facts: TaskFacts): void {
    const pid = tasks.pid(slot);
    const identity = tasks.identity(slot);
    if (this.pids[slot] !== pid || this.identities[slot] !== identity) {
      this.pids[slot] = pid;
      this.identities[slot] = identity;
      this.execs[slot] = undefined;
    }
    this.cgroupIds[slot] = tasks.cgroupId(slot);
    facts.exec = this.execs[slot];
    facts.cgroup = this.needs.cgroup ? this.cgroups.path(this.cgroupIds[slot]) : undefined;
    if (this.isKnown(slot) || this.waiting[slot] !== 0) return;
    this.waiting[slot] = 1;
    this.queue.push(slot);
  }

  private isKnown(slot: Slot): boolean {
    if (this.needs.exec && this.execs[slot] === undefined) return false;
    return !this.needs.cgroup || this.cgroups.path(this.cgroupIds[slot]) !== undefined;
  }

  /** tick finds some of what is missing. Bounded, but it makes system calls. */
  tick(nowMs: number): void {
    const { queue } = this;
    if (this.needs.cgroup) this.cgroups.step(DIRECTORIES_PER_TICK, nowMs);
    const count = Math.min(queue.size, TASKS_PER_TICK);
    for (let index = 0; index < count; index++) {
      const slot = queue.shift();
      if (this.needs.exec) this.execs[slot] ??= execOf(this.pids[slot]);
      if (this.isKnown(slot)) this.waiting[slot] = 0;
      else queue.push(slot);
    }
  }
}

/** '' for a kernel thread, and for a task that is gone. */
function execOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return '';
  }
}
