/**
 * HOT PATH: no allocation, no exceptions, one kind of view.
 *
 * What a policy can see of a task. A task handle is a slot number; these accessors read its slot.
 */
import { LIMIT, OWNER, SLOT, TASK_FLAG } from './layout.generated.js';
import type { Arena } from './arena.js';
import type { HeldTasks } from './held-tasks.js';
import type { Slot } from './slot.js';

const W = SLOT.word;
const PID = W.pid;
const TGID = W.tgid;
const WEIGHT = W.weight;
const CPU = W.cpu;
const WAKES = W.wakes;
const FLAGS = W.flags;
const VTIME = W.vtimeNs;
const EXEC_SINCE_WAKE = W.execSinceWakeNs;
const EXEC_SINCE_DECISION = W.execSinceDecisionNs;
const STARTED = W.startedNs;
const STOPPED = W.stoppedNs;
const ENQUEUED = W.enqueuedNs;
const WOKEN = W.wokenNs;
const SLEEP = W.sleepNs;
const OWNED_BY = W.owner;
const RUNNABLE_SINCE = W.runnableSinceNs;
const DECIDED = OWNER.DECIDED;
const IDENTITY = W.identity;
const UID = W.uid;
const NICE = W.nice;
const NUMA_NODE = W.numaNode;
const CGROUP = W.cgroupId;
const ALLOWED_DOMAINS = W.allowedDomains;
const COMM_BYTE = SLOT.byte.comm;
const COMM_LENGTH = LIMIT.COMM_LEN;
const { NEW, WAKEUP } = TASK_FLAG;
const SLOT_SHIFT = 6;
const HIGH = 2 ** 32;
/** Nice 0. */
const WEIGHT_DEFAULT = 100;

/**
 * TaskView reads the slots of held tasks. BPF writes a slot before it hands its task over and then leaves these
 * fields alone until it gets a decision, so two words of one value belong together. Times are nanoseconds since the
 * scheduler's epoch, exact to 2^53. Every accessor is O(1).
 */
export class TaskView {
  private readonly words: Uint32Array;
  private readonly slotsWord: number;
  private readonly held: HeldTasks;
  /** The same memory, for names. */
  private readonly bytes: Buffer;

  constructor(arena: Arena, held: HeldTasks) {
    if (SLOT.words !== 1 << SLOT_SHIFT) throw new RangeError('slots are not 256 bytes');
    this.words = arena.words;
    this.slotsWord = arena.slotsWord;
    this.held = held;
    const { buffer, byteOffset, byteLength } = arena.words;
    this.bytes = Buffer.from(buffer, byteOffset, byteLength);
  }

  private word(slot: Slot, field: number): number {
    return this.words[(this.slotsWord + (slot << SLOT_SHIFT) + field) | 0];
  }

  private time(slot: Slot, field: number): number {
    const at = this.slotsWord + (slot << SLOT_SHIFT) + field;
    return this.words[at] + this.words[at + 1] * HIGH;
  }

  /**
   * deadlineInto writes vtime + min(execution since wake * 100 / weight, cap) into target[slot], in whole nanoseconds: the
   * deadline that the kernel side also gives a task under a standing order.
   *
   * @param execCapNs - below 2^31
   */
  deadlineInto(slot: Slot, execCapNs: number, target: Float64Array): void {
    const { words } = this;
    const at = (this.slotsWord + (slot << SLOT_SHIFT)) | 0;
    const weight = words[(at + WEIGHT) | 0] | 0;
    const lowNs = words[(at + EXEC_SINCE_WAKE) | 0] | 0;
    const vtimeNs = words[(at + VTIME) | 0] + words[(at + VTIME + 1) | 0] * HIGH;
    // The ordinary weight needs no division.
    if (weight === WEIGHT_DEFAULT) {
      const isShort = lowNs >= 0 && lowNs < execCapNs && words[(at + EXEC_SINCE_WAKE + 1) | 0] === 0;
      target[slot] = vtimeNs + (isShort ? lowNs : execCapNs);
      return;
    }
    const execNs = words[(at + EXEC_SINCE_WAKE) | 0] + words[(at + EXEC_SINCE_WAKE + 1) | 0] * HIGH;
    const weightedNs = (execNs * WEIGHT_DEFAULT) / weight;
    target[slot] = vtimeNs + (weightedNs < execCapNs ? Math.floor(weightedNs) : execCapNs);
  }

  pid(slot: Slot): number {
    return this.word(slot, PID);
  }

  tgid(slot: Slot): number {
    return this.word(slot, TGID);
  }

  /** weight is 1 to 10000; 100 is nice 0. */
  weight(slot: Slot): number {
    return this.word(slot, WEIGHT);
  }

  /** nice is -20 to 19. */
  nice(slot: Slot): number {
    return this.word(slot, NICE) | 0;
  }

  uid(slot: Slot): number {
    return this.word(slot, UID);
  }

  /** cgroupId is the inode number of its directory below /sys/fs/cgroup. */
  cgroupId(slot: Slot): number {
    return this.time(slot, CGROUP);
  }

  /**
   * identity is a number that changes with comm, uid, nice, weight and cgroup: what was concluded from these holds as
   * long as it stays.
   */
  identity(slot: Slot): number {
    return this.word(slot, IDENTITY);
  }

  /**
   * comm is its name, at most 15 bytes. Allocates a string: not for every enqueue, but when a task is new or its
   * {@link identity} has changed.
   */
  comm(slot: Slot): string {
    const { bytes } = this;
    const from = (this.slotsWord + (slot << SLOT_SHIFT)) * 4 + COMM_BYTE;
    let length = 0;
    while (length < COMM_LENGTH && bytes[from + length] !== 0) length++;
    return bytes.toString('utf8', from, from + length);
  }

  /** numaNode is the node it prefers; -1 when it has none. */
  numaNode(slot: Slot): number {
    return this.word(slot, NUMA_NODE) | 0;
  }

  /** mayUse tells whether its affinity allows a CPU of a domain. */
  mayUse(slot: Slot, domain: number): boolean {
    return ((this.word(slot, ALLOWED_DOMAINS + (domain >> 5)) >>> (domain & 31)) & 1) !== 0;
  }

  /** isNew tells whether it was never decided before. */
  isNew(slot: Slot): boolean {
    return (this.held.flags(slot) & NEW) !== 0;
  }

  /** isWakeup tells whether it woke; otherwise its slice ended. */
  isWakeup(slot: Slot): boolean {
    return (this.held.flags(slot) & WAKEUP) !== 0;
  }

  /** cpu is where it ran last. */
  cpu(slot: Slot): number {
    return this.word(slot, CPU);
  }

  /** wakes are its wake-ups since the last decision. */
  wakes(slot: Slot): number {
    return this.word(slot, WAKES);
  }

  /** slotFlags are lasting properties (SLOT_FLAG). */
  slotFlags(slot: Slot): number {
    return this.word(slot, FLAGS);
  }

  /** askFlags say why it was asked (TASK_FLAG): it woke, it is new, its standing order ran out. */
  askFlags(slot: Slot): number {
    return this.held.flags(slot);
  }

  /** vtimeNs is its weighted execution time in the domain's virtual clock, its lag already bounded. */
  vtimeNs(slot: Slot): number {
    return this.time(slot, VTIME);
  }

  execSinceWakeNs(slot: Slot): number {
    return this.time(slot, EXEC_SINCE_WAKE);
  }

  execSinceDecisionNs(slot: Slot): number {
    return this.time(slot, EXEC_SINCE_DECISION);
  }

  startedNs(slot: Slot): number {
    return this.time(slot, STARTED);
  }

  stoppedNs(slot: Slot): number {
    return this.time(slot, STOPPED);
  }

  enqueuedNs(slot: Slot): number {
    return this.time(slot, ENQUEUED);
  }

  wokenNs(slot: Slot): number {
    return this.time(slot, WOKEN);
  }

  /** sleepNs is the length of its last sleep. */
  sleepNs(slot: Slot): number {
    return this.time(slot, SLEEP);
  }

  /** isQueued tells of any slot whether its task was decided and waits for its CPU. A hint, as is {@link isRunnable}. */
  isQueued(slot: Slot): boolean {
    return this.word(slot, OWNED_BY) === DECIDED;
  }

  /** isRunnable tells of any slot whether its task runs or wants to. */
  isRunnable(slot: Slot): boolean {
    return (this.word(slot, RUNNABLE_SINCE) | this.word(slot, RUNNABLE_SINCE + 1)) !== 0;
  }
}
