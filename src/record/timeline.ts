/**
 * What each recorded task did: bursts of execution, each from a wake-up to the next sleep, with the points in it at which
 * it woke others. Made from the records alone, so that what a policy did to the tasks is not in it.
 *
 * Records may be missing: a burst whose beginning is lost begins its length before its end, and a wake-up whose waker is
 * not known at that time counts as an interrupt's.
 */
import { readU64 } from '../shm/arena.js';
import { RECORD, RECORD_DETAIL, RECORD_KIND } from '../shm/layout.generated.js';
import { kindAt, type Recording } from './read.js';

/** RecordedWake is one task waking another in the course of a burst. */
export interface RecordedWake {
  /** How long the waker had computed in this burst; from 1 to all of it. */
  readonly afterNs: number;
  /** Which burst of which task begins with it. */
  readonly task: number;
  readonly burst: number;
}

/** RecordedBurst is what a task computed between two sleeps. Times are from the recording's beginning. */
export interface RecordedBurst {
  readonly wokenNs: number;
  /** How long it had slept; 0 if it was awake when first seen. */
  readonly sleptNs: number;
  /** Another task's burst says when it begins; otherwise an interrupt did. */
  readonly isCaused: boolean;
  /** CPU time. */
  readonly runNs: number;
  /** In the order in which they happen. */
  readonly wakes: readonly RecordedWake[];
  /** From its beginning on, where it changed. */
  readonly weight?: number;
  readonly allowed?: readonly number[] | 'all';
}

/** RecordedTask is one task, with one burst at least. */
export interface RecordedTask {
  readonly pid: number;
  /** Its last name. */
  readonly comm: string;
  readonly isKernelThread: boolean;
  /** Where it was first seen. */
  readonly cpu: number;
  readonly bursts: readonly RecordedBurst[];
}

/** timelineOf gives all tasks. O(records log records). */
export function timelineOf(recording: Recording): readonly RecordedTask[] {
  const timeline = new Timeline(recording);
  for (const at of inOrder(recording)) timeline.add(at);
  return timeline.finish();
}

/** inOrder gives where each record begins, by time; those of one time stay as they were. */
function inOrder({ words, count }: Recording): Uint32Array {
  const times = new Float64Array(count);
  const order = new Uint32Array(count);
  for (let index = 0; index < count; index++) {
    order[index] = index;
    times[index] = readU64(words, index * RECORD.words + RECORD.word.atNs);
  }
  order.sort((a, b) => times[a] - times[b] || a - b);
  return order.map((index) => index * RECORD.words);
}

interface Burst {
  wokenNs: number;
  sleptNs: number;
  isCaused: boolean;
  runNs: number;
  wakes: Wake[];
  weight?: number;
  allowed?: readonly number[] | 'all';
}

interface Wake {
  afterNs: number;
  readonly task: Task;
  readonly burst: Burst;
}

/** Task is one under construction. */
interface Task {
  readonly pid: number;
  comm: string;
  readonly isKernelThread: boolean;
  readonly cpu: number;
  readonly bursts: Burst[];
  /** The last of these, while it has not ended. */
  open: Burst | undefined;
  endedNs: number | undefined;
  weight: number;
  /** For the burst that comes next. */
  changes: { weight?: number; allowed?: readonly number[] | 'all' };
  parts: Map<number, readonly number[]>;
}

const NO_WAKES: readonly RecordedWake[] = [];

class Timeline {
  private readonly tasks: Task[] = [];
  private readonly byPid = new Map<number, Task>();
  private readonly words: Uint32Array;
  private readonly bytes: Buffer;
  private readonly startNs: number;

  constructor({ words, header }: Recording) {
    this.words = words;
    this.bytes = Buffer.from(words.buffer, words.byteOffset, words.byteLength);
    this.startNs = header.startNs;
  }

  add(at: number): void {
    const { words } = this;
    const pid = words[at + RECORD.word.pid];
    const kind = kindAt(words, at);
    if (kind === RECORD_KIND.TASK || kind === RECORD_KIND.FORK) {
      this.introduce(at, pid, kind === RECORD_KIND.FORK);
      return;
    }
    const task = this.byPid.get(pid) ?? this.newTask(at, pid);
    switch (kind) {
      case RECORD_KIND.COMM:
        task.comm = this.comm(at);
        return;
      case RECORD_KIND.ALLOWED:
        this.allow(task, at);
        return;
      case RECORD_KIND.WEIGHT:
        this.weigh(task, at);
        return;
      case RECORD_KIND.WAKE:
        this.weigh(task, at);
        this.begin(task, this.timeNs(at), this.waker(at));
        return;
      case RECORD_KIND.RAN:
        this.ran(task, at);
        return;
      case RECORD_KIND.SLEEP:
      case RECORD_KIND.EXIT:
        this.end(task, this.ran(task, at), this.timeNs(at));
        if (kind === RECORD_KIND.EXIT) this.byPid.delete(pid);
    }
  }

  /** finish gives those that computed anything, with the names that bursts have by then. */
  finish(): readonly RecordedTask[] {
    const index = new Map<Task, number>();
    for (const task of this.tasks) {
      const { bursts, open } = task;
      // It had not begun to compute when the recording ended.
      if (open?.runNs === 0) bursts.pop();
      if (bursts.length > 0) index.set(task, index.size);
    }
    const places = new Map<Burst, number>();
    for (const task of index.keys()) task.bursts.forEach((burst, place) => places.set(burst, place));
    return [...index.keys()].map(({ pid, comm, isKernelThread, cpu, bursts }) => ({
      pid,
      comm,
      isKernelThread,
      cpu,
      bursts: bursts.map((burst) => finished(burst, index, places)),
    }));
  }

  private timeNs(at: number): number {
    return Math.max(0, readU64(this.words, at + RECORD.word.atNs) - this.startNs);
  }

  private comm(at: number): string {
    const from = at * 4 + RECORD.byte.other;
    const text = this.bytes.subarray(from, from + 16);
    const end = text.indexOf(0);
    return text.toString('latin1', 0, end < 0 ? 16 : end);
  }

  private detail(at: number): number {
    return this.words[at + RECORD.word.cpu] >>> 24;
  }

  private newTask(at: number, pid: number): Task {
    const { words } = this;
    const task: Task = {
      pid,
      comm: `pid ${pid}`,
      isKernelThread: (this.detail(at) & RECORD_DETAIL.KTHREAD) !== 0,
      cpu: words[at + RECORD.word.cpu] & 0xffff,
      bursts: [],
      open: undefined,
      endedNs: undefined,
      weight: 100,
      changes: {},
      parts: new Map(),
    };
    this.tasks.push(task);
    this.byPid.set(pid, task);
    return task;
  }

  /** One that has the pid of another says that the other is gone. */
  private introduce(at: number, pid: number, isFork: boolean): void {
    const by = isFork ? this.waker(at) : undefined;
    const task = this.newTask(at, pid);
    this.weigh(task, at);
    if ((this.detail(at) & RECORD_DETAIL.RUNNABLE) !== 0) this.begin(task, this.timeNs(at), by);
  }

  private weigh(task: Task, at: number): void {
    const weight = this.words[at + RECORD.word.weight];
    if (weight === 0 || weight === task.weight) return;
    task.weight = weight;
    this.changed(task).weight = weight;
  }

  /** What changes before a burst has computed is so from its beginning on; later, from the next one's. */
  private changed(task: Task): Task['changes'] {
    return task.open?.runNs === 0 ? task.open : task.changes;
  }

  private allow(task: Task, at: number): void {
    const { words } = this;
    const part = this.detail(at);
    if (part === RECORD_DETAIL.EVERY_CPU) {
      this.changed(task).allowed = 'all';
      return;
    }
    if (part === 0) task.parts.clear();
    const cpus: number[] = [];
    for (let cpu = 0; cpu < 64; cpu++) {
      const word = words[at + RECORD.word.ranNs + (cpu >>> 5)];
      if (((word >>> (cpu & 31)) & 1) !== 0) cpus.push(64 * part + cpu);
    }
    task.parts.set(part, cpus);
    if (task.parts.size < words[at + RECORD.word.other]) return;
    this.changed(task).allowed = [...task.parts.values()].flat();
    task.parts.clear();
  }

  /** waker finds the burst that a record says did it, and how far it had come. */
  private waker(at: number): { readonly burst: Burst; readonly afterNs: number } | undefined {
    const { words } = this;
    const burst = this.byPid.get(words[at + RECORD.word.other])?.open;
    if (burst === undefined) return undefined;
    const afterNs = readU64(words, at + RECORD.word.ranNs);
    burst.runNs = Math.max(burst.runNs, afterNs, 1);
    return { burst, afterNs };
  }

  private begin(
    task: Task,
    wokenNs: number,
    by?: { readonly burst: Burst; readonly afterNs: number },
  ): Burst {
    if (task.open !== undefined) this.end(task, task.open, wokenNs);
    const burst: Burst = {
      wokenNs,
      sleptNs: Math.max(0, wokenNs - (task.endedNs ?? wokenNs)),
      isCaused: by !== undefined,
      runNs: 0,
      wakes: [],
      ...task.changes,
    };
    task.changes = {};
    task.bursts.push(burst);
    task.open = burst;
    by?.burst.wakes.push({ afterNs: by.afterNs, task, burst });
    return burst;
  }

  private ran(task: Task, at: number): Burst {
    const ranNs = readU64(this.words, at + RECORD.word.ranNs);
    const burst = task.open ?? this.begin(task, Math.max(task.endedNs ?? 0, this.timeNs(at) - ranNs));
    burst.runNs = Math.max(burst.runNs, ranNs);
    return burst;
  }

  private end(task: Task, burst: Burst, nowNs: number): void {
    burst.runNs = Math.max(1, burst.runNs);
    task.open = undefined;
    task.endedNs = nowNs;
  }
}

function finished(
  burst: Burst,
  tasks: ReadonlyMap<Task, number>,
  places: ReadonlyMap<Burst, number>,
): RecordedBurst {
  const { wokenNs, sleptNs, isCaused, runNs, wakes, weight, allowed } = burst;
  const known = wakes.flatMap(({ afterNs, task, burst: woken }): RecordedWake[] => {
    const index = tasks.get(task);
    const place = places.get(woken);
    if (index === undefined || place === undefined) return [];
    return [{ afterNs: Math.min(Math.max(1, afterNs), runNs), task: index, burst: place }];
  });
  return {
    wokenNs,
    sleptNs,
    isCaused,
    runNs,
    wakes: known.length === 0 ? NO_WAKES : known.sort((a, b) => a.afterNs - b.afterNs),
    ...(weight === undefined ? {} : { weight }),
    ...(allowed === undefined ? {} : { allowed }),
  };
}
