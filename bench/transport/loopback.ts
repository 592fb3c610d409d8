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

  /** @param nrTasks - how many tasks there are to push, below the number of slots */
  constructor(
    private readonly native: NativeAddon,
    private readonly nrTasks: number,
  ) {
    const plan = planDomains(readTopology(), 'one');
    const config = loadConfig();
    this.session = native.openSession({ objectPath: OBJECT, arenaBytes: arenaBytes(plan, config) });
    native.loadSession(this.session);
    this.byteLength = layOut(native, this.session, plan, config);
    this.arena = openArena(native.sessionMemory(this.session, this.byteLength));
    this.push('nl_feed_prepare', 0);
  }

  feed(tasks: number): Passed {
    return this.push('nl_feed', tasks);
  }

  /** ping sends tasks to a worker on another CPU, one at a time, and waits for each; the times are in NL_HIST_ASK. */
  ping(tasks: number): Passed {
    return this.push('nl_ping', tasks);
  }

  /** drain takes decisions; `tasks` are the valid ones. */
  drain(limit: number): Passed {
    const args = new Uint32Array(DRAIN_ARGS.words);
    args[DRAIN_ARGS.word.count] = limit;
    this.run('nl_drain', args);
    return { tasks: args[DRAIN_ARGS.word.drained], elapsedNs: readU64(args, DRAIN_ARGS.word.elapsedNs) };
  }

  close(): void {
    this.native.closeSession(this.session);
  }

  private push(program: string, count: number): Passed {
    const args = new Uint32Array(FEED_ARGS.words);
    args[FEED_ARGS.word.count] = count;
    args[FEED_ARGS.word.nrSlots] = this.nrTasks;
    this.run(program, args);
    return { tasks: args[FEED_ARGS.word.pushed], elapsedNs: readU64(args, FEED_ARGS.word.elapsedNs) };
  }

  private run(program: string, args: Uint32Array): void {
    const result = this.native.runProgram(this.session, program, new Uint8Array(args.buffer));
    if (result !== 0) throw new Error(`${program} failed with ${result}`);
  }
}
