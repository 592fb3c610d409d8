/**
 * A machine under nodeland, event by event. What a task goes through:
 *   1. ARRIVE at its CPU, at random (Poisson) or, in a closed run, as soon as the last one of its place is done.
 *   2. PUSH, a job of that CPU: a write to the shard's task ring tail (a line all its CPUs write), then the entry. A full
 *      ring means the kernel's own way: counted, and not decided.
 *   3. The worker sees it (BATCH) once the line has come over, takes up to a batch of what waits, decides, publishes.
 *      A share of tasks it hands to another shard's worker instead, where they wait as others do.
 *   4. TAKE, a job of the task's CPU, after the decision's line has come over: a write to the decision ring's head (again a
 *      line for all) takes up to eight decisions, whosever they are; who comes to an empty ring leaves.
 * The decision wait is from 1 to the end of 4. A CPU does one job at a time, takes before pushes; a worker's CPU does
 * nothing else unless the shard says so. Not in the model: what tasks compute, memory bandwidth, interrupts, the worker's
 * sleep and its wake-up (it spins), and that a CPU busy in the kernel takes decisions later.
 */
import { Random } from '../../../src/sim/random.js';
import { EventQueue } from './events.js';
import { Fifo } from './fifo.js';
import type { Outcome, SimulationOptions } from './options.js';
import { makeShard, type Shard, type Worker } from './shard.js';

const ARRIVE = 0;
const CPU_FREE = 1;
const VISIBLE = 2;
const LOOK = 3;
const PUBLISH = 4;
const MAY_TAKE = 5;
const TAKEN = 6;

/** Decisions taken by one write of the ring's head: DECISION_TAKE in bpf/rings.h. */
const TAKE_AT_ONCE = 8;
const WARM_UP_SHARE = 0.2;
/** Of the tasks a run is for, so many have to be decided before it ends. */
const LEAST_DECIDED_SHARE = 0.25;

/** Tasks of one CPU that wait to be pushed; more are refused, so that an overload does not grow without end. */
const CPU_BACKLOG = 64;

/** simulate runs until all tasks are measured. The same options give the same outcome. @throws RangeError */
export function simulate(options: SimulationOptions): Outcome {
  return new Simulation(options).run();
}

class Simulation {
  private readonly events = new EventQueue();
  private readonly random: Random;
  private readonly shards: readonly Shard[];
  private readonly workers: readonly Worker[];
  private readonly shardOfCpu: Int32Array;
  /** By CPU: tasks to push, and -1 less the number of a worker whose batch is next. */
  private readonly jobs: readonly Fifo[];
  /** By CPU: decisions to look for, which goes before pushing: a CPU takes its next task before it has another to push. */
  private readonly takes: Int32Array;
  private readonly busy: Uint8Array;
  /** By task: its CPU and when it arrived. Numbers of finished tasks are used again. */
  private cpuOf: number[] = [];
  private arrivedNs: number[] = [];
  private readonly freeTasks: number[] = [];
  private readonly waits: number[] = [];
  private completed = 0;
  private refused = 0;
  private measuredFromNs = 0;
  private nowNs = 0;
  private readonly mayLeave: boolean;

  constructor(private readonly options: SimulationOptions) {
    const { machine, shards, seed } = options;
    if (shards.some(({ cpus, workerCpus }) => cpus.length === 0 || workerCpus.length === 0))
      throw new RangeError('a shard needs CPUs and a worker');
    const { cpus } = machine.shape;
    this.random = new Random(seed);
    this.mayLeave = options.handOffShare > 0 && shards.length > 1;
    this.shardOfCpu = new Int32Array(cpus).fill(-1);
    this.busy = new Uint8Array(cpus);
    this.takes = new Int32Array(cpus);
    this.jobs = Array.from({ length: cpus }, () => new Fifo());
    this.shards = shards.map((plan, number) => makeShard(plan, number, machine));
    this.workers = this.shards.flatMap((shard) => shard.workers);
    this.workers.forEach((worker, number) => (worker.number = number));
    shards.forEach((plan, number) => {
      for (const cpu of plan.cpus) this.shardOfCpu[cpu] = number;
    });
  }

  run(): Outcome {
    const { load, tasks, shards } = this.options;
    for (const cpu of shards.flatMap((shard) => shard.cpus)) {
      if (load.kind === 'open') this.events.add(this.gapNs(), ARRIVE, cpu);
      else for (let task = 0; task < load.tasksPerCpu; task++) this.events.add(0, ARRIVE, cpu);
    }
    const warmUp = Math.ceil(tasks * WARM_UP_SHARE);
    this.runUntil(warmUp);
    this.completed = 0;
    this.refused = 0;
    this.waits.length = 0;
    this.measuredFromNs = this.nowNs;
    for (const worker of this.workers) worker.busyNs = 0;
    this.runUntil(tasks);
    return this.outcome();
  }

  /** In an overload most tasks are refused: some decisions must be seen all the same. */
  private runUntil(tasks: number): void {
    while (this.completed + this.refused < tasks || this.completed < tasks * LEAST_DECIDED_SHARE) this.step();
  }

  private outcome(): Outcome {
    const elapsedNs = this.nowNs - this.measuredFromNs;
    const busyNs = this.workers.reduce((sum, worker) => sum + worker.busyNs, 0);
    return {
      decisionsPerSecond: (this.completed * 1e9) / elapsedNs,
      waitsNs: Float64Array.from(this.waits).sort(),
      undecidedShare: this.refused / (this.completed + this.refused),
      utilisation: busyNs / (elapsedNs * this.workers.length),
    };
  }

  private step(): void {
    const { events } = this;
    if (!events.next()) throw new RangeError('nothing happens any more');
    this.nowNs = events.timeNs;
    const { kind, subject } = events;
    if (kind === ARRIVE) this.arrive(subject);
    else if (kind === CPU_FREE) this.cpuFree(subject);
    else if (kind === VISIBLE) this.visible(subject);
    else if (kind === LOOK) this.look(this.workers[subject]);
    else if (kind === PUBLISH) this.publish(this.workers[subject]);
    else if (kind === MAY_TAKE) this.mayTake(subject);
    else this.taken(subject);
  }

  private gapNs(): number {
    const { load } = this.options;
    return load.kind === 'open' ? this.random.exponential(1e9 / load.perCpuPerSecond) : 0;
  }

  private arrive(cpu: number): void {
    if (this.options.load.kind === 'open') this.events.add(this.nowNs + this.gapNs(), ARRIVE, cpu);
    if (this.jobs[cpu].length >= CPU_BACKLOG && this.options.load.kind === 'open') {
      this.refused++;
      return;
    }
    const task = this.freeTasks.pop() ?? this.cpuOf.length;
    this.cpuOf[task] = cpu;
    this.arrivedNs[task] = this.nowNs;
    this.addJob(cpu, task);
  }

  private addJob(cpu: number, job: number): void {
    this.jobs[cpu].push(job);
    if (this.busy[cpu] === 0) this.cpuFree(cpu);
  }

  private mayTake(cpu: number): void {
    this.takes[cpu]++;
    if (this.busy[cpu] === 0) this.cpuFree(cpu);
  }

  /** A CPU without a job begins the next; one whose ring has nothing to take is done with that at once. */
  private cpuFree(cpu: number): void {
    const jobs = this.jobs[cpu];
    this.busy[cpu] = 0;
    while (this.busy[cpu] === 0) {
      if (this.takes[cpu] > 0) {
        this.takes[cpu]--;
        this.take(cpu);
      } else if (jobs.length > 0) {
        const job = jobs.shift();
        if (job >= 0) this.push(cpu, job);
        else this.decide(this.workers[-1 - job]);
      } else return;
    }
  }

  private occupy(cpu: number, untilNs: number): void {
    this.busy[cpu] = 1;
    this.events.add(untilNs, CPU_FREE, cpu);
  }

  private push(cpu: number, task: number): void {
    const { costs, ringTasks, machine } = this.options;
    const shard = this.shards[this.shardOfCpu[cpu]];
    if (shard.used >= ringTasks) {
      this.refused++;
      this.freeTasks.push(task);
      return;
    }
    shard.used++;
    const hadTailNs = shard.tail.write(cpu, this.nowNs);
    const linesNs = costs.pushLines * machine.transferNs(shard.workers[0].cpu, cpu);
    const pushedNs = hadTailNs + costs.pushNs + linesNs;
    this.events.add(pushedNs, VISIBLE, task);
    this.occupy(cpu, pushedNs);
  }

  private visible(task: number): void {
    const cpu = this.cpuOf[task];
    const shard = this.shards[this.shardOfCpu[cpu]];
    shard.ring.push(task);
    this.call(shard, cpu);
  }

  /** An idle worker of the shard sees the line that `cpu` wrote. */
  private call(shard: Shard, cpu: number): void {
    const idle = shard.workers.find(({ working }) => !working);
    if (idle === undefined) return;
    idle.working = true;
    const seenNs = this.nowNs + this.options.machine.transferNs(cpu, idle.cpu);
    this.events.add(seenNs, LOOK, idle.number);
  }

  private look(worker: Worker): void {
    if (worker.shard.ring.length === 0) worker.working = false;
    else this.addJob(worker.cpu, -1 - worker.number);
  }

  private decide(worker: Worker): void {
    const { costs, machine, batchTasks, service } = this.options;
    const { shard, batch } = worker;
    const count = Math.min(batchTasks, shard.ring.length);
    if (count === 0) {
      worker.working = false;
      return;
    }
    let ns = costs.batchNs;
    for (let index = 0; index < count; index++) {
      const task = shard.ring.shift();
      ns += service === 'fixed' ? costs.decideNs : this.random.exponential(costs.decideNs);
      if (costs.decideLines > 0) ns += costs.decideLines * machine.transferNs(this.cpuOf[task], worker.cpu);
      const leaves = this.mayLeave && this.random.next() < this.options.handOffShare;
      if (leaves) ns += costs.handOffNs;
      (leaves ? worker.handed : batch).push(task);
    }
    worker.busyNs += ns;
    this.occupy(worker.cpu, this.nowNs + ns);
    this.events.add(this.nowNs + ns, PUBLISH, worker.number);
  }

  private publish(worker: Worker): void {
    const { machine } = this.options;
    const { shard, batch, handed } = worker;
    shard.used -= batch.length + handed.length;
    for (const task of handed) this.handOver(task, worker);
    for (const task of batch) {
      shard.decided.push(task);
      const cpu = this.cpuOf[task];
      this.events.add(this.nowNs + machine.transferNs(worker.cpu, cpu), MAY_TAKE, cpu);
    }
    batch.length = 0;
    handed.length = 0;
    this.look(worker);
  }

  /** To any other shard alike, near or far, where it waits to be decided; it runs on a CPU there from now on. */
  private handOver(task: number, from: Worker): void {
    const { machine, shards } = this.options;
    const step = 1 + this.random.below(this.shards.length - 1);
    const number = (from.shard.number + step) % this.shards.length;
    const { cpus } = shards[number];
    this.cpuOf[task] = cpus[this.random.below(cpus.length)];
    const target = this.shards[number];
    target.used++;
    this.events.add(this.nowNs + machine.transferNs(from.cpu, target.workers[0].cpu), VISIBLE, task);
  }

  private take(cpu: number): void {
    const { costs, machine } = this.options;
    const shard = this.shards[this.shardOfCpu[cpu]];
    const count = Math.min(TAKE_AT_ONCE, shard.decided.length);
    if (count === 0) return;
    const hadHeadNs = shard.head.write(cpu, this.nowNs);
    const perTaskNs = costs.drainNs + costs.drainLines * machine.transferNs(shard.workers[0].cpu, cpu);
    for (let index = 1; index <= count; index++) {
      const task = shard.decided.shift();
      this.events.add(hadHeadNs + index * perTaskNs, TAKEN, task);
    }
    this.occupy(cpu, hadHeadNs + count * perTaskNs);
  }

  private taken(task: number): void {
    this.completed++;
    this.waits.push(this.nowNs - this.arrivedNs[task]);
    this.freeTasks.push(task);
    if (this.options.load.kind === 'closed') this.events.add(this.nowNs, ARRIVE, this.cpuOf[task]);
  }
}
