/** The loopback object (bpf/loopback.bpf.c) in a session: the kernel's part of the rings, on any kernel with BPF arenas. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { EXIT, UserError } from '../../src/cli/errors.js';
import { loadConfig } from '../../src/config/config.js';
import { planDomains } from '../../src/domain/plan.js';
import type { NativeAddon, SessionId } from '../../src/kernel/native-addon.js';
import { type Arena, openArena, readU64 } from '../../src/shm/arena.js';
import { assertLayout } from '../../src/shm/layout.js';
import { DRAIN_ARGS, FEED_ARGS, LAYOUT_HASH } from '../../src/shm/layout.generated.js';
import { arenaBytes, layOut } from '../../src/supervisor/memory.js';
import { readTopology } from '../../src/topology/read.js';

/** From dist/bench/transport to build/bpf. */
const OBJECT = fileURLToPath(new URL('../../../build/bpf/loopback.bpf.o', import.meta.url));

/** Passed is what one run of nl_feed, nl_drain or nl_ping did. */
export interface Passed {
  readonly tasks: number;
  readonly elapsedNs: number;
}

/** checkObject refuses when the loopback object is missing or not of this build. @throws UserError */
export function checkObject(): void {
  if (!existsSync(OBJECT))
    throw new UserError(`${OBJECT} is missing: run \`npm run build\``, EXIT.unavailable);
  try {
    assertLayout(readFileSync(OBJECT), OBJECT, LAYOUT_HASH);
  } catch (cause) {
    throw new UserError(cause instanceof Error ? cause.message : String(cause), EXIT.failure, { cause });
  }
}

/** Loopback is one session with one domain of all CPUs. For one thread; others reach the memory by session number. */
export class Loopback {
  readonly session: SessionId;
  readonly arena: Arena;
  readonly byteLength: number;
  private readonly feeder: Feeder;

  /** @param nrTasks - how many tasks there are to push, below the number of slots */
  constructor(
    private readonly native: NativeAddon,
    nrTasks: number,
  ) {
    ({ session: this.session, byteLength: this.byteLength } = openLoopback(native, 'one'));
    this.arena = openArena(native.sessionMemory(this.session, this.byteLength));
    this.feeder = new Feeder(native, this.session, { domain: 0, firstSlot: 0, nrSlots: nrTasks });
  }

  feed(tasks: number): Passed {
    return this.feeder.feed(tasks);
  }

  /** ping sends tasks to a worker on another CPU, one at a time, and waits for each; the times are in NL_HIST_ASK. */
  ping(tasks: number): Passed {
    return this.feeder.ping(tasks);
  }

  /** drain takes decisions; `tasks` are the valid ones. */
  drain(limit: number): Passed {
    return this.feeder.drain(limit);
  }

  close(): void {
    this.native.closeSession(this.session);
  }
}

/** openLoopback loads the object for domains as `spec` divides the CPUs; any thread of the process may use the session. */
export function openLoopback(native: NativeAddon, spec: string): { session: SessionId; byteLength: number } {
  const plan = planDomains(readTopology(), spec);
  const config = loadConfig();
  const session = native.openSession({ objectPath: OBJECT, arenaBytes: arenaBytes(plan, config) });
  native.loadSession(session);
  return { session, byteLength: layOut(native, session, plan, config) };
}

/** FeederPlace is whose CPUs a feeder plays, and with which tasks: its own, nobody else's. */
export interface FeederPlace {
  readonly domain: number;
  readonly firstSlot: number;
  readonly nrSlots: number;
}

/** Feeder plays the CPUs of a domain: pushes tasks and takes decisions, on the thread that calls. */
export class Feeder {
  private readonly feedArgs = new Uint32Array(FEED_ARGS.words);
  private readonly drainArgs = new Uint32Array(DRAIN_ARGS.words);

  /** Makes the place's tasks. */
  constructor(
    private readonly native: NativeAddon,
    private readonly session: SessionId,
    private readonly place: FeederPlace,
  ) {
    this.push('nl_feed_prepare', 0);
  }

  feed(tasks: number): Passed {
    return this.push('nl_feed', tasks);
  }

  ping(tasks: number): Passed {
    return this.push('nl_ping', tasks);
  }

  drain(limit: number): Passed {
    const args = this.drainArgs;
    args[DRAIN_ARGS.word.domain] = this.place.domain;
    args[DRAIN_ARGS.word.count] = limit;
    this.run('nl_drain', args);
    return { tasks: args[DRAIN_ARGS.word.drained], elapsedNs: readU64(args, DRAIN_ARGS.word.elapsedNs) };
  }

  private push(program: string, count: number): Passed {
    const { domain, firstSlot, nrSlots } = this.place;
    const args = this.feedArgs;
    args[FEED_ARGS.word.domain] = domain;
    args[FEED_ARGS.word.count] = count;
    args[FEED_ARGS.word.firstSlot] = firstSlot;
    args[FEED_ARGS.word.nrSlots] = nrSlots;
    this.run(program, args);
    return { tasks: args[FEED_ARGS.word.pushed], elapsedNs: readU64(args, FEED_ARGS.word.elapsedNs) };
  }

  private run(program: string, args: Uint32Array): void {
    const result = this.native.runProgram(this.session, program, new Uint8Array(args.buffer));
    if (result !== 0) throw new Error(`${program} failed with ${result}`);
  }
}
