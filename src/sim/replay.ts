/**
 * Plays a recording: its tasks compute for as long as they did, between sleeps as long as they had.
 *
 * A wake-up by another recorded task happens when that task comes to the same point of its own execution, so that what
 * waits for each other still does; one by an interrupt when the task has slept for as long as it had, or for the first
 * time when it did. A wake-up that comes before the task sleeps keeps it from sleeping.
 */
import type { SimKernel } from '../kernel/sim.js';
import type { SimTask } from '../kernel/sim-task.js';
import type { RecordedBurst, RecordedTask } from '../record/timeline.js';
import { type Load, Tally } from './tally.js';
import { type Program, WAIT } from './workloads/scene.js';

/** More names than that would make a table nobody reads. */
const GROUPS_MAX = 24;
const NONE = -1;

/** ReplayPlace is where things of the recorded machine are on the simulated one. */
export interface ReplayPlace {
  cpuOf(recorded: number): number;
  domainOf(cpu: number): number;
}

/** Replay is a recording at work. */
export class Replay implements Load {
  readonly tallies: readonly Tally[];
  private readonly players: readonly Player[];
  private left: number;

  constructor(
    readonly kernel: SimKernel,
    tasks: readonly RecordedTask[],
    readonly place: ReplayPlace,
  ) {
    const names = groupNames(tasks);
    this.tallies = [...names.values()].map((name, index) => new Tally(kernel, index, name, 'recorded'));
    const indexOf = new Map([...names.keys()].map((name, index) => [name, index]));
    const last = this.tallies.length - 1;
    this.players = tasks.map(
      (task) => new Player(this, task, this.tallies[indexOf.get(nameOf(task)) ?? last]),
    );
    this.left = tasks.length;
  }

  start(): void {
    for (const player of this.players) player.plan();
  }

  isOver(): boolean {
    return this.left === 0;
  }

  wake(task: number, burst: number): void {
    this.players[task].called(burst);
  }

  ended(): void {
    this.left--;
  }
}

/** Player is one task. It is there from its first wake-up on. */
class Player {
  private task: SimTask | undefined;
  /** The burst it waits to be called for. */
  private awaited = NONE;
  /** Bursts it was called for too early. */
  private readonly early = new Set<number>();

  constructor(
    private readonly replay: Replay,
    private readonly recorded: RecordedTask,
    private readonly tally: Tally,
  ) {}

  /** plan is for tasks that nobody else begins. */
  plan(): void {
    const [first] = this.recorded.bursts;
    if (first.isCaused) return;
    this.replay.kernel.at(first.wokenNs, () => {
      this.spawn();
    });
  }

  called(burst: number): void {
    const { task } = this;
    if (burst === 0) this.spawn();
    else if (this.awaited === burst && task !== undefined) {
      this.awaited = NONE;
      this.replay.kernel.wakeUp(task);
    } else this.early.add(burst);
  }

  private spawn(): void {
    const { replay, recorded, tally } = this;
    const { kernel, place } = replay;
    const [first] = recorded.bursts;
    const allowedCpus = this.cpusOf(first.allowed);
    const home = place.cpuOf(recorded.cpu);
    const cpu = allowedCpus?.includes(home) === false ? allowedCpus[0] : home;
    let steps: Program | undefined;
    tally.tasks++;
    this.task = kernel.spawn({
      name: recorded.comm,
      group: tally.index,
      domain: place.domainOf(cpu),
      runNs: 0,
      ...(first.weight === undefined ? {} : { weight: first.weight }),
      ...(allowedCpus === undefined ? {} : { allowedCpus }),
      next: (task) => {
        steps ??= this.program(task);
        return steps.next().value ?? { kind: 'exit' };
      },
    });
  }

  /** CPUs of another machine may fall together, but some are left. */
  private cpusOf(allowed: RecordedBurst['allowed']): number[] | undefined {
    if (allowed === undefined || allowed === 'all') return undefined;
    const cpus = new Set(allowed.map((cpu) => this.replay.place.cpuOf(cpu)));
    return cpus.size === 0 ? undefined : [...cpus].sort((a, b) => a - b);
  }

  private *program(task: SimTask): Program {
    const { replay, tally } = this;
    const { kernel } = replay;
    const { bursts } = this.recorded;
    for (let index = 0; index < bursts.length; index++) {
      const burst = bursts[index];
      if (index > 0) this.change(task, burst);
      const beganNs = kernel.nowNs;
      let doneNs = 0;
      for (const { afterNs, task: other, burst: next } of burst.wakes) {
        if (afterNs > doneNs) yield { kind: 'run', ns: afterNs - doneNs };
        doneNs = afterNs;
        replay.wake(other, next);
      }
      if (burst.runNs > doneNs) yield { kind: 'run', ns: burst.runNs - doneNs };
      tally.done(kernel.nowNs - beganNs);
      const following = bursts.at(index + 1);
      if (following?.isCaused === false) yield { kind: 'sleep', ns: Math.max(1, following.sleptNs) };
      else if (following !== undefined && !this.early.delete(index + 1)) {
        this.awaited = index + 1;
        yield WAIT;
      }
    }
    replay.ended();
  }

  /** The kernel is about to run this very task: what changes, changes right after. */
  private change(task: SimTask, { weight, allowed }: RecordedBurst): void {
    const { kernel } = this.replay;
    if (weight !== undefined) kernel.setWeight(task, weight);
    if (allowed === undefined) return;
    kernel.at(kernel.nowNs, () => {
      kernel.setAffinity(task, this.cpusOf(allowed));
    });
  }
}

/** Kernel threads of one kind differ in what follows a slash or a colon. */
function nameOf({ comm, isKernelThread }: RecordedTask): string {
  return isKernelThread ? comm.replace(/[/:].*$/, '') : comm;
}

/** groupNames gives the names with the most CPU time, most first, and one for all others where there are more. */
function groupNames(tasks: readonly RecordedTask[]): ReadonlyMap<string, string> {
  const cpuNs = new Map<string, number>();
  for (const task of tasks) {
    const ranNs = task.bursts.reduce((sum, { runNs }) => sum + runNs, 0);
    cpuNs.set(nameOf(task), (cpuNs.get(nameOf(task)) ?? 0) + ranNs);
  }
  const sorted = [...cpuNs].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).map(([name]) => name);
  if (sorted.length <= GROUPS_MAX) return new Map(sorted.map((name) => [name, name]));
  const kept = sorted.slice(0, GROUPS_MAX - 1);
  return new Map([
    ...kept.map((name) => [name, name] as const),
    ['', `${sorted.length - kept.length} others`],
  ]);
}
