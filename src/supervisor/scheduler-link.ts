/** The BPF program's life: opened, checked, loaded, laid out, attached, detached. Owned by the main thread. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { EXIT, UserError } from '../cli/errors.js';
import type { RunConfig } from '../config/config.js';
import type { DomainPlan } from '../domain/plan.js';
import { type ExitInfo, isNativeError, type NativeAddon, type SessionId } from '../kernel/native-addon.js';
import { type Arena, openArena } from '../shm/arena.js';
import { layoutHashOf } from '../shm/layout.js';
import { HEADER, LAYOUT_HASH } from '../shm/layout.generated.js';
import { arenaBytes, layOut } from './memory.js';

/** From dist/src/supervisor to build/bpf. */
const OBJECT_PATH = fileURLToPath(new URL('../../../build/bpf/nodeland.bpf.o', import.meta.url));

/** KEEP_BUILTIN_IDLE: the kernel's own idle tracking beside our update_idle. ENQ_LAST: a worker that yields is parked
 *  even when nothing else runs. ENQ_MIGRATION_DISABLED (6.14): such tasks are ordered on their CPU, by us.
 *  BUILTIN_IDLE_PER_NODE (6.15): the kernel's search for an idle CPU goes from node to node by distance. */
const OPS_FLAGS = [
  'SCX_OPS_KEEP_BUILTIN_IDLE',
  'SCX_OPS_ENQ_LAST',
  '?SCX_OPS_ENQ_MIGRATION_DISABLED',
  '?SCX_OPS_BUILTIN_IDLE_PER_NODE',
];

/** SchedulerLink holds one object. Not for sharing between threads; workers reach it by its session number. */
export class SchedulerLink {
  private memory: Arena | undefined;
  private attached = false;

  private constructor(
    private readonly native: NativeAddon,
    readonly session: SessionId,
  ) {}

  /**
   * open reads the object; the kernel is not touched yet.
   *
   * @param hotplugSeq - the kernel's count of CPUs come and gone when the plan was made; attach is refused when it moved
   *
   * @throws UserError 1 when the object is missing or not the one this TypeScript was built for.
   */
  static open(native: NativeAddon, plan: DomainPlan, config: RunConfig, hotplugSeq: bigint): SchedulerLink {
    checkLayout();
    const flags = config.partial ? [...OPS_FLAGS, 'SCX_OPS_SWITCH_PARTIAL'] : OPS_FLAGS;
    const session = native.openSession({
      objectPath: OBJECT_PATH,
      arenaBytes: arenaBytes(plan, config),
      ops: { map: 'nodeland', flags, hotplugSeq },
    });
    return new SchedulerLink(native, session);
  }

  /**
   * load passes the programs through the verifier, beside what this thread does meanwhile, and lays the memory out by the plan.
   * Nothing is scheduled yet.
   *
   * @throws UserError 77 when the kernel refuses for lack of privilege
   */
  async load(plan: DomainPlan, config: RunConfig): Promise<void> {
    const { native, session } = this;
    try {
      await native.loadSessionAsync(session);
      if (config.wait === 'poll') for (const { id } of plan.domains) native.createDoorbell(session, id);
      const byteLength = layOut(native, session, plan, config);
      this.memory = openArena(native.sessionMemory(session, byteLength));
    } catch (error) {
      throw asUserError(error);
    }
  }

  /** The shared memory, once `load` is through. */
  get arena(): Arena {
    if (this.memory === undefined) throw new Error('the object is not loaded');
    return this.memory;
  }

  get isLoaded(): boolean {
    return this.memory !== undefined;
  }

  /** attach makes this the machine's scheduler. @throws UserError when the kernel refuses. */
  attach(): void {
    try {
      this.native.attachSession(this.session);
    } catch (error) {
      throw asUserError(error);
    }
    this.attached = true;
  }

  /** detach gives the machine back; harmless when not attached. */
  detach(): void {
    if (!this.attached) return;
    this.attached = false;
    this.native.detachSession(this.session);
  }

  /** beat tells the kernel side that the main thread lives. */
  beat(): void {
    Atomics.add(this.arena.words, HEADER.word.heartbeat, 1);
  }

  /** exited tells whether the kernel has let go by itself; a look at shared memory. */
  exited(): boolean {
    return Atomics.load(this.arena.words, HEADER.word.exited) !== 0;
  }

  /** exitInfo is why the kernel let go, null while it has not. */
  exitInfo(): ExitInfo | null {
    return this.native.exitInfo(this.session);
  }

  /** close detaches if need be and forgets the object. The memory stays until its last view is gone. */
  close(): void {
    this.detach();
    this.native.closeSession(this.session);
  }
}

/** checkLayout refuses an object whose shared memory is not laid out as this TypeScript expects. */
function checkLayout(): void {
  let object: Uint8Array;
  try {
    object = readFileSync(OBJECT_PATH);
  } catch {
    throw new UserError(`${OBJECT_PATH} is missing: build it with npm run build`);
  }
  const hash = layoutHashOf(object);
  if (hash !== LAYOUT_HASH) {
    throw new UserError(
      `${OBJECT_PATH} has memory layout ${hash}, this program was built for ${LAYOUT_HASH}: run npm run build`,
    );
  }
}

function asUserError(error: unknown): unknown {
  if (!isNativeError(error)) return error;
  if (error.code === 'EPERM' || error.code === 'EACCES') {
    return new UserError(
      `the kernel refused: ${error.message}\nRun it as root (CAP_BPF, CAP_PERFMON, CAP_SYS_NICE): sudo npx nodeland run`,
      EXIT.privilege,
      { cause: error },
    );
  }
  if (error.code === 'EBUSY') return new UserError(error.message, EXIT.failure, { cause: error });
  return error;
}
