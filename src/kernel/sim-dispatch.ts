/** What the CPUs of the simulated kernel do: take tasks, run them, stop for others, look elsewhere when there are none. */
import { EVENT, LIMIT, OWNER } from '../shm/layout.generated.js';
import type { SimCpu } from './sim-cpu.js';
import type { SimDomain, SimQueued } from './sim-domain.js';
import type { SimTask } from './sim-task.js';

/** SimHost is what dispatching needs of the kernel around it. */
export interface SimHost {
  readonly nowNs: number;
  readonly sliceUs: number;
  readonly domains: readonly SimDomain[];
  /** For each domain the others, nearest first; none of them is looked at without it. */
  readonly near: readonly (readonly number[])[] | undefined;
  readonly stealUs: number;
  at(timeNs: number, action: () => void): void;
  touch(domain: SimDomain): void;
  tell(task: SimTask, event: number, enq: number): void;
  /** The task's slice is over, or hardly anything of it is left, and it wants to go on. */
  requeue(task: SimTask): void;
  /** The task has run for as long as it wanted. True when it goes on with another step. */
  stepDone(task: SimTask): boolean;
  /** It has stopped after that, to sleep, to wait or for good. */
  leave(task: SimTask): void;
  /** A task begins to run; `wakeNs` if it woke since it last ran. */
  began(task: SimTask, waitNs: number, wakeNs: number | undefined): void;
}

/** Less of a slice than this is not worth giving back. */
const SLICE_REST_MIN_NS = 50_000;
/** As in bpf/share.h and bpf/order.h. */
const PULL_DOMAINS = 8;
const FAR_BEHIND = 2;
const PULL_BATCH = 8;
const PREEMPT_SCAN = 16;

/** SimDispatch is the part of the simulated kernel that runs tasks. */
export class SimDispatch {
  private readonly byNumber: readonly (SimCpu | undefined)[];

  constructor(
    private readonly host: SimHost,
    readonly cpus: readonly SimCpu[],
  ) {
    const byNumber: (SimCpu | undefined)[] = [];
    for (const cpu of cpus) byNumber[cpu.id] = cpu;
    this.byNumber = byNumber;
  }

  cpu(id: number): SimCpu | undefined {
    return this.byNumber[id];
  }

  /** inKernel is how the kernel side itself queues a task. */
  inKernel(task: SimTask): SimQueued {
    const sliceNs = this.host.sliceUs * 1000;
    const keyNs = this.host.domains[task.domain].undecidedKeyNs(task);
    return { task, keyNs, sliceNs, cpu: LIMIT.CPU_ANY, preempt: false };
  }

  /** runOnIdle gives a task that wakes an idle CPU: the one it ran on, one of its domain, or of the nearest with one. */
  runOnIdle(task: SimTask): boolean {
    const { domains, near } = this.host;
    const home = domains[task.domain];
    const cpu = this.idleCpu(home, task) ?? this.idleFar(near?.[home.id] ?? [], task);
    if (cpu === undefined) return false;
    this.move(task, cpu.domain);
    cpu.domain.count('IDLE');
    this.start(cpu, this.inKernel(task), true);
    return true;
  }

  private idleCpu(domain: SimDomain, task: SimTask): SimCpu | undefined {
    if (domain.nrIdle === 0) return undefined;
    const last = task.ranDomain === domain.id ? this.byNumber[task.word('cpu')] : undefined;
    if (last?.isIdle === true && task.mayUse(last.id)) return last;
    return domain.members.find((cpu) => cpu.isIdle && task.mayUse(cpu.id));
  }

  private idleFar(domains: readonly number[], task: SimTask): SimCpu | undefined {
    for (const id of domains) {
      const found = this.idleCpu(this.host.domains[id], task);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  private move(task: SimTask, to: SimDomain): void {
    if (task.domain !== to.id) task.moveTo(to.id, this.host.domains[task.domain].clockNs, to.clockNs);
  }

  /** fill has the CPUs of a domain that run nothing look for work. */
  fill(domain: SimDomain): void {
    const { members, queue } = domain;
    if (domain.nrRunning === members.length) return;
    if (queue.length === 0 && domain.nrRunning + domain.nrIdle === members.length) return;
    for (const cpu of members) {
      if (cpu.running !== undefined || cpu.takenUntilNs > this.host.nowNs) continue;
      if (!this.pick(cpu) && (cpu.isIdle || !this.pull(cpu))) cpu.idles();
    }
  }

  private pick(cpu: SimCpu): boolean {
    const queued = cpu.domain.next(cpu.id);
    if (queued !== undefined) this.start(cpu, queued);
    return queued !== undefined;
  }

  /** pull takes the first task of the nearest domain where one waits long enough; of one far behind, more (bpf/share.h). */
  pull(cpu: SimCpu): boolean {
    const { domains, near, nowNs, stealUs } = this.host;
    const own = cpu.domain;
    for (const id of near?.[own.id].slice(0, PULL_DOMAINS) ?? []) {
      const from = domains[id];
      const waiting = from.queue.length;
      if (waiting === 0 || nowNs - from.queue[0].task.enqueuedNs < stealUs * 1000) continue;
      const queued = from.next(cpu.id);
      if (queued === undefined) continue;
      const taken = this.pulled(queued, own);
      if (waiting >= FAR_BEHIND * from.members.length) {
        const share = Math.floor((waiting * own.members.length) / (own.members.length + from.members.length));
        this.pullMore(from, own, cpu.id, Math.min(share, PULL_BATCH));
      }
      this.start(cpu, taken);
      return true;
    }
    return false;
  }

  private pullMore(from: SimDomain, to: SimDomain, cpu: number, count: number): void {
    for (let moved = 0; moved < count; moved++) {
      const queued = from.next(cpu);
      if (queued === undefined) return;
      to.insert(this.pulled(queued, to));
    }
  }

  private pulled(queued: SimQueued, to: SimDomain): SimQueued {
    const from = this.host.domains[queued.task.domain];
    to.count('PULLED');
    this.move(queued.task, to);
    return { ...queued, keyNs: Math.max(0, queued.keyNs + to.clockNs - from.clockNs) };
  }

  private start(cpu: SimCpu, queued: SimQueued, isHandedCpu = false): void {
    const { task } = queued;
    const beginNs = Math.max(this.host.nowNs, cpu.takenUntilNs);
    const { domain } = cpu;
    task.setOwner(OWNER.KERNEL);
    task.setWord('cpu', cpu.id);
    task.runs++;
    const waitNs = beginNs - task.enqueuedNs;
    task.waitsNs.push(waitNs);
    task.startedNs = beginNs;
    if (!isHandedCpu) cpu.record('WAIT', waitNs);
    const wakeNs = task.isWoken ? beginNs - task.wokenNs : undefined;
    if (wakeNs !== undefined) cpu.record('WAKE', wakeNs);
    task.isWoken = false;
    if (task.ranDomain >= 0 && task.ranDomain !== domain.id) cpu.countMove(task.ranDomain);
    task.ranDomain = domain.id;
    domain.advanceClock(task.vtimeNs);
    domain.nrRunning++;
    cpu.running = queued;
    cpu.startedNs = beginNs;
    cpu.chargedNs = beginNs;
    cpu.show();
    this.extend(cpu, queued);
    this.host.began(task, waitNs, wakeNs);
    this.host.tell(task, EVENT.RUNNING, cpu.id);
  }

  /** extend gives what runs a slice from now on. */
  private extend(cpu: SimCpu, queued: SimQueued): void {
    cpu.sliceEndsNs = cpu.chargedNs + queued.sliceNs;
    this.arm(cpu, queued);
  }

  private arm(cpu: SimCpu, queued: SimQueued): void {
    const start = ++cpu.starts;
    this.host.at(Math.min(cpu.sliceEndsNs, cpu.chargedNs + queued.task.leftNs), () => {
      if (cpu.starts === start) this.sliceEnds(cpu, queued);
    });
  }

  private sliceEnds(cpu: SimCpu, queued: SimQueued): void {
    const { task } = queued;
    const { nowNs, sliceUs } = this.host;
    cpu.charge(nowNs);
    if (task.leftNs <= 0 && this.host.stepDone(task) && cpu.sliceEndsNs > nowNs) {
      this.arm(cpu, queued);
      return;
    }
    const goesOn = task.leftNs > 0;
    if (goesOn && !this.isWanted(cpu)) {
      cpu.domain.count('REFILL');
      this.extend(cpu, { ...queued, sliceNs: sliceUs * 1000 });
      return;
    }
    this.stop(cpu);
    if (goesOn) {
      this.pick(cpu);
      this.host.requeue(task);
    } else this.host.leave(task);
  }

  private isWanted(cpu: SimCpu): boolean {
    return cpu.domain.hasFor(cpu.id);
  }

  /** interrupt is a kick that preempts: the CPU takes what is first, and what ran goes on later with the rest of its slice. */
  interrupt(cpu: SimCpu | undefined): void {
    const queued = cpu?.running;
    if (cpu === undefined || queued === undefined || !this.isWanted(cpu)) return;
    const { task } = queued;
    const { domain } = cpu;
    const { nowNs } = this.host;
    const restNs = cpu.sliceEndsNs - nowNs;
    this.stop(cpu);
    this.pick(cpu);
    if (restNs <= SLICE_REST_MIN_NS) {
      this.host.requeue(task);
      return;
    }
    task.beginWait(nowNs);
    domain.count('RESUMED');
    const keyNs = task.keepsKey ? queued.keyNs : domain.undecidedKeyNs(task);
    domain.insert({ ...queued, keyNs, sliceNs: restNs });
  }

  stop(cpu: SimCpu): void {
    const task = cpu.running?.task;
    if (task === undefined) return;
    cpu.charge(this.host.nowNs);
    task.stoppedNs = this.host.nowNs;
    cpu.running = undefined;
    cpu.domain.nrRunning--;
    cpu.starts++;
    cpu.show();
    this.host.touch(cpu.domain);
    this.host.tell(task, EVENT.STOPPING, cpu.id);
  }

  /** takeAway gives a CPU to the domain's worker for so long: what runs there goes on afterwards. */
  takeAway(cpu: SimCpu | undefined, forNs: number): void {
    if (cpu === undefined || forNs === 0) return;
    const fromNs = Math.max(this.host.nowNs, cpu.takenUntilNs);
    cpu.takenUntilNs = fromNs + forNs;
    cpu.charge(this.host.nowNs);
    cpu.leavesIdle();
    if (cpu.running === undefined) return;
    cpu.sliceEndsNs += forNs;
    this.arm(cpu, cpu.running);
  }

  /** preempt takes the CPU with the latest deadline of those looked at, if that is later, unless one is idle. */
  preempt(domain: SimDomain, { task, keyNs }: SimQueued): void {
    const { nowNs } = this.host;
    const { members } = domain;
    if (domain.nrRunning < members.length) {
      if (members.some((cpu) => cpu.running === undefined && task.mayUse(cpu.id))) return;
    }
    const first = task.ranDomain === domain.id ? this.indexOf(task.word('cpu'), members) : 0;
    let victim: SimCpu | undefined;
    let latestNs = keyNs;
    for (let looked = 0; looked < Math.min(PREEMPT_SCAN, members.length); looked++) {
      const cpu = members[(first + looked) % members.length];
      if (!task.mayUse(cpu.id) || cpu.keyAt(nowNs) <= latestNs) continue;
      latestNs = cpu.keyAt(nowNs);
      victim = cpu;
    }
    if (victim === undefined) return;
    domain.count('PREEMPTIONS');
    this.interrupt(victim);
  }

  private indexOf(id: number, members: readonly SimCpu[]): number {
    return Math.max(0, members.indexOf(this.byNumber[id] ?? members[0]));
  }
}
