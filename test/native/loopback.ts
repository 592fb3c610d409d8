/** The loopback object in a session, with workers in threads: real BPF rings on any kernel that has arenas. */
import { existsSync } from 'node:fs';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { MessageChannel, Worker } from 'node:worker_threads';

import { loadConfig } from '../../src/config/config.js';
import { type DomainPlan, planDomains } from '../../src/domain/plan.js';
import { native } from '../../src/kernel/native.js';
import type { SessionId } from '../../src/kernel/native-addon.js';
import { builtinPolicy } from '../../src/policy/builtin.js';
import { parseOptions } from '../../src/policy/options.js';
import { type Arena, domainPlace, openArena, readU64 } from '../../src/shm/arena.js';
import {
  DOMAIN,
  DRAIN_ARGS,
  FEED_ARGS,
  HEADER,
  OWNER,
  SLOT,
  type WORKER_STAT,
} from '../../src/shm/layout.generated.js';
import { arenaBytes, layOut } from '../../src/supervisor/memory.js';
import { readTopology } from '../../src/topology/read.js';
import { commandGo, commandMap, commandStop, createControl } from '../../src/worker/control.js';
import type { WorkerTask } from '../../src/worker/messages.js';
import { fixture, whyNoBpf } from './bpf-objects.js';

export const LOOPBACK_OBJECT = fileURLToPath(new URL('../../build/bpf/loopback.bpf.o', import.meta.url));

/** whyNoLoopback says why these tests cannot run here; undefined when they can. */
export function whyNoLoopback(): string | undefined {
  if (!existsSync(LOOPBACK_OBJECT)) return `${LOOPBACK_OBJECT} is not built`;
  return whyNoBpf();
}

/** Range is slots that belong to one feeder alone. */
export interface Range {
  readonly domain: number;
  readonly firstSlot: number;
  readonly nrSlots: number;
}

/** Fed is what nl_feed did. */
export interface Fed {
  readonly pushed: number;
  readonly ringFull: number;
}

const DRAIN_RESULTS = ['drained', 'stale', 'deadSlot', 'badCpu', 'sliceClamped', 'keyClamped'] as const;
/** Drained is what nl_drain's decisions came to, by its own counters. */
export type Drained = Readonly<Record<(typeof DRAIN_RESULTS)[number], number>>;

export const NOTHING_DRAINED: Drained = sumOf([]);

/** sumOf adds up the counters of many drains. */
export function sumOf(all: readonly Drained[]): Drained {
  const sum = (name: keyof Drained): number => all.reduce((total, one) => total + one[name], 0);
  return Object.fromEntries(DRAIN_RESULTS.map((name) => [name, sum(name)])) as Drained;
}

/** LoopbackWorker is a domain's worker in a thread, going. */
export class LoopbackWorker {
  private constructor(
    readonly thread: Worker,
    private readonly control: Int32Array,
    private readonly ended: Promise<unknown>,
  ) {}

  static async start(task: Omit<WorkerTask, 'port' | 'control'>): Promise<LoopbackWorker> {
    const control = createControl();
    commandMap(control);
    const { port1, port2 } = new MessageChannel();
    const workerData: WorkerTask = { ...task, control: control.buffer, port: port2 };
    const thread = new Worker(fixture('domain-worker.mjs'), { workerData, transferList: [port2] });
    const ended = once(thread, 'exit');
    await Promise.race([once(port1, 'message'), ended.then(() => Promise.reject(new Error('died early')))]);
    port1.close();
    commandGo(control);
    return new LoopbackWorker(thread, control, ended);
  }

  async stop(): Promise<void> {
    commandStop(this.control);
    await this.ended;
  }
}

/** checkedOptions gives a built-in policy's defaults, as the main thread sends them; undefined for other policies. */
export function checkedOptions(policy: string): unknown {
  const definition = builtinPolicy(policy);
  return definition === undefined ? undefined : parseOptions(definition, undefined);
}

/** Loopback is one session, laid out by a domain spec. */
export class Loopback {
  readonly plan: DomainPlan;
  readonly session: SessionId;
  readonly arena: Arena;
  private readonly workers: LoopbackWorker[] = [];

  constructor(spec: string) {
    const addon = native();
    this.plan = planDomains(readTopology(), spec);
    this.session = addon.openSession({ objectPath: LOOPBACK_OBJECT, arenaBytes: arenaBytes(this.plan, loadConfig()) });
    addon.loadSession(this.session);
    const byteLength = layOut(addon, this.session, this.plan, loadConfig());
    this.arena = openArena(addon.sessionMemory(this.session, byteLength));
  }

  /** startWorker resolves when the domain's worker takes tasks. `close` stops it. */
  async startWorker(domain: number, policy = 'vtime'): Promise<LoopbackWorker> {
    const worker = await LoopbackWorker.start(this.workerTask(domain, policy));
    this.workers.push(worker);
    return worker;
  }

  /** workerTask is what a worker of the domain is handed. */
  workerTask(domain: number, policy: string): Omit<WorkerTask, 'port' | 'control'> {
    return {
      session: this.session,
      domain,
      threadName: `nl-test${domain}`,
      cpu: this.plan.domains[domain].workerCpu,
      policy,
      options: checkedOptions(policy),
      wait: 'park',
      ask: 'auto',
      sliceUs: 5000,
      partial: false,
    };
  }

  async close(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.stop()));
    native().closeSession(this.session);
  }

  /** prepare makes the slots of a range live tasks of generation 1. */
  prepare(range: Range): void {
    this.run('nl_feed_prepare', feedArgs(range, 0));
  }

  feed(range: Range, count: number): Fed {
    const args = feedArgs(range, count);
    this.run('nl_feed', args);
    return fedOf(args);
  }

  /** feedOn does the same on a CPU, beside others. */
  async feedOn(cpu: number, range: Range, count: number): Promise<Fed> {
    const args = feedArgs(range, count);
    await this.runOn(cpu, 'nl_feed', args);
    return fedOf(args);
  }

  drain(domain: number, count: number): Drained {
    const args = drainArgs(domain, count);
    this.run('nl_drain', args);
    return drainedOf(args);
  }

  async drainOn(cpu: number, domain: number, count: number): Promise<Drained> {
    const args = drainArgs(domain, count);
    await this.runOn(cpu, 'nl_drain', args);
    return drainedOf(args);
  }

  /** A word of a domain's block, and where it lies. */
  domainWord(domain: number, name: keyof typeof DOMAIN.word): number {
    return this.arena.words[this.domainIndex(domain, name)];
  }
  domainIndex(domain: number, name: keyof typeof DOMAIN.word): number {
    return domainPlace(this.arena, domain).domainWord + DOMAIN.word[name];
  }

  statistic(domain: number, stat: (typeof WORKER_STAT)[keyof typeof WORKER_STAT]): number {
    return readU64(this.arena.words, this.domainIndex(domain, 'workerStats') + stat * 2);
  }

  slotWord(slot: number, name: keyof typeof SLOT.word): number {
    return this.arena.words[this.arena.slotsWord + slot * SLOT.words + SLOT.word[name]];
  }

  /** The range's slots of which `name` has not the value wanted. */
  slotsWithout(range: Range, name: keyof typeof SLOT.word, wanted: (slot: number) => number): number[] {
    return slotsOf(range).filter((slot) => this.slotWord(slot, name) !== wanted(slot));
  }

  /** How many tasks of the range wait for a decision. */
  asked(range: Range): number {
    return slotsOf(range).filter((slot) => this.slotWord(slot, 'owner') === OWNER.ASKED).length;
  }

  get nrSlots(): number {
    return this.arena.words[HEADER.word.nrSlots];
  }

  private run(program: string, args: Uint32Array): void {
    checkResult(program, native().runProgram(this.session, program, new Uint8Array(args.buffer)));
  }

  private async runOn(cpu: number, program: string, args: Uint32Array): Promise<void> {
    const bytes = new Uint8Array(args.buffer);
    checkResult(program, await native().runProgramAsync(this.session, program, bytes, cpu));
  }
}

/** twoCpus are CPUs to run programs on at the same time; the same one twice where there is only one. */
export function twoCpus(): readonly [number, number] {
  const [first, second = first] = native().threadAffinity();
  return [first, second];
}

export function slotsOf({ firstSlot, nrSlots }: Range): number[] {
  return Array.from({ length: nrSlots }, (_, index) => firstSlot + index);
}

function checkResult(program: string, result: number): void {
  if (result !== 0) throw new Error(`${program} failed with ${result}`);
}

function feedArgs({ domain, firstSlot, nrSlots }: Range, count: number): Uint32Array {
  const args = new Uint32Array(FEED_ARGS.words);
  args[FEED_ARGS.word.domain] = domain;
  args[FEED_ARGS.word.count] = count;
  args[FEED_ARGS.word.firstSlot] = firstSlot;
  args[FEED_ARGS.word.nrSlots] = nrSlots;
  return args;
}

function fedOf(args: Uint32Array): Fed {
  return { pushed: args[FEED_ARGS.word.pushed], ringFull: args[FEED_ARGS.word.ringFull] };
}

function drainArgs(domain: number, count: number): Uint32Array {
  const args = new Uint32Array(DRAIN_ARGS.words);
  args[DRAIN_ARGS.word.domain] = domain;
  args[DRAIN_ARGS.word.count] = count;
  return args;
}

function drainedOf(args: Uint32Array): Drained {
  return Object.fromEntries(DRAIN_RESULTS.map((name) => [name, args[DRAIN_ARGS.word[name]]])) as Drained;
}
