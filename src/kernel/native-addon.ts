/**
 * What the C++ addon (native/) offers, as native/binding.cc exports it. {@link native} in native.ts loads it.
 *
 * Errors. A wrong argument is a TypeError or RangeError that names it. What the kernel or libbpf refuses is a
 * {@link NativeError}. Threads. Everything may be called from the main thread and from workers; functions under
 * "the calling thread" act on the thread that calls. Only {@link NativeAddon.yieldThread} and
 * {@link NativeAddon.pageFaultsInto} belong near a hot loop: they allocate nothing.
 */
declare const session: unique symbol;

/** SessionId is the number of an open session, the same in every thread of the process. */
export type SessionId = number & { readonly [session]: true };

/** NativeError is what the kernel or libbpf refused: the message says what was attempted and what helps. */
export interface NativeError extends Error {
  /** The errno's name: `EPERM`, `ENOENT`, `EBUSY` ... */
  readonly code: string;
  /** The errno, positive. */
  readonly errno: number;
  /** The function that refused: `bpf_object__load`. */
  readonly syscall: string;
  /** For a refused load or attach: up to 30 last lines of libbpf's log, with the verifier's. */
  readonly log?: string;
}

/** isNativeError tells a {@link NativeError} from other errors, with `code` from one with another code. */
export function isNativeError(error: unknown, code?: string): error is NativeError {
  if (!(error instanceof Error) || !('code' in error) || !('syscall' in error)) return false;
  return code === undefined || error.code === code;
}

/** OpsOptions are the scheduler's settings, written into its sched_ext_ops before load. */
export interface OpsOptions {
  /** The object's struct_ops map: `nodeland`. */
  readonly map: string;
  /** SCX_OPS_* names of the running kernel's `enum scx_ops_flags`; `?NAME` is left out where it is unknown. */
  readonly flags?: readonly string[];
  /** The kernel's watchdog; 0 or absent: 30 s. */
  readonly timeoutMs?: number;
  /** Bytes for the dump at an error exit; 0 or absent: the kernel's 32 KiB. */
  readonly exitDumpLen?: number;
  /**
   * /sys/kernel/sched_ext/hotplug_seq as it was when the plan was made: attach fails (ECANCELED) when a CPU came
   * or went since. Absent: as it is when the session opens.
   */
  readonly hotplugSeq?: number | bigint;
}

/** SessionOptions say what to open and how. */
export interface SessionOptions {
  /** A compiled BPF object (build/bpf/*.bpf.o). */
  readonly objectPath: string;
  /** Size of the map named `arena`, rounded up to pages; at most 4 GiB. Ignored when the object has none. */
  readonly arenaBytes: number;
  /** Without it all struct_ops are left out, and the rest loads on a kernel without sched_ext. */
  readonly ops?: OpsOptions;
  /** Values for the object's `const volatile` numbers by name. `arena_base` is set without being named. */
  readonly constants?: Readonly<Record<string, number | bigint>>;
}

/** ExitInfo is why the kernel let go of the scheduler, as its exit callback recorded it. */
export interface ExitInfo {
  /** The kernel's `enum scx_exit_kind`, never 0. */
  readonly kind: number;
  readonly exitCode: bigint;
  readonly reason: string;
  readonly message: string;
  readonly dump: string;
}

/** LockReport is what lockMemory achieved. */
export interface LockReport {
  /** Mappings, and stacks, that are locked now. */
  readonly mappings: number;
  readonly bytes: number;
  /** Mappings the kernel would not lock. */
  readonly refused: number;
  /** Why, for the first few. */
  readonly errors: readonly string[];
}

/** NodePages are pages of one NUMA node. */
export interface NodePages {
  readonly node: number;
  readonly pages: number;
}

/** PageFaults of one thread since it began. */
export interface PageFaults {
  readonly minor: number;
  readonly major: number;
}

export interface NativeAddon {
  /** The libbpf the addon runs with: "1.4". */
  libbpfVersion(): string;

  // The life of a session: open, load, attach, detach (attach again ...), close.

  /**
   * Reads the object; the kernel is not touched yet.
   * @throws NativeError ENOENT no such file or struct_ops map; EINVAL not a BPF object; EOPNOTSUPP `ops` on a
   * kernel without sched_ext, or a flag it does not know.
   */
  openSession(options: SessionOptions): SessionId;
  /**
   * Creates the maps and the arena and passes the programs through the verifier. Once only, whatever the outcome.
   * Kernel 6.9 or later for an arena.
   * @throws NativeError EALREADY loaded before; EPERM; whatever the verifier says, with `log`.
   */
  loadSession(session: SessionId): void;
  /** The same on a thread of the libuv pool. Whatever it throws is what the promise is rejected with. */
  loadSessionAsync(session: SessionId): Promise<void>;
  /**
   * Makes this the machine's scheduler, and clears the exit information of an earlier attach.
   * @throws NativeError EBUSY another scheduler is attached (the message names it); EALREADY this one is;
   * ECANCELED the kernel let go of it while attaching, and exitInfo says why; ENOTCONN not loaded; EPERM.
   */
  attachSession(session: SessionId): void;
  /**
   * Gives the machine back; returns when the kernel has taken all tasks over, and exitInfo is there. Also needed
   * after the kernel has thrown the scheduler out.
   * @throws NativeError ENOTCONN not attached, as at a second detach.
   */
  detachSession(session: SessionId): void;
  /**
   * Detaches if need be and forgets the session. A call of another thread ends normally. ArrayBuffers stay valid:
   * the arena is unmapped when the last of them is collected.
   * @throws NativeError EBADF not open, as at a second close.
   */
  closeSession(session: SessionId): void;
  /**
   * What the map `exit_info` holds; null while the scheduler runs, or never ran.
   * @throws NativeError ENOENT the object has no such map.
   */
  exitInfo(session: SessionId): ExitInfo | null;

  // Memory.

  /**
   * An ArrayBuffer over the first byteLength bytes of the arena, not a copy. Each thread asks for its own;
   * it must not be transferred. Touching a page that the BPF side has not allocated allocates it on this
   * CPU's node: ask for what is set up, not for more. Atomics work on it, Atomics.wait does not.
   * @throws NativeError ENOTCONN not loaded.
   */
  sessionMemory(session: SessionId, byteLength: number): ArrayBuffer;
  /** Where the arena lies in this process; the low 32 bits are 0. */
  sessionMemoryAddress(session: SessionId): bigint;
  /** The arena's pages that this process has mapped, by NUMA node. Empty on a kernel without NUMA. */
  memoryPlacement(session: SessionId): NodePages[];
  /**
   * Locks file-backed mappings, heap, stacks of the threads that loaded the addon, and of each arena the part
   * given out by sessionMemory; never V8's own memory (docs in native/locking.h). Again after workers start.
   * Takes some 20 ms. What is refused is in the report, not thrown.
   */
  lockMemory(): LockReport;
  unlockMemory(): void;
  /** For the whole process, and for good. */
  disableTransparentHugepages(): void;

  // Programs and doorbells.

  /**
   * Runs a SEC("syscall") program on this thread. What the program leaves of its context is in `context` after.
   * @returns the program's own result, a signed 32-bit number.
   * @throws NativeError ENOENT no such program; EINVAL not a syscall program, or too few bytes.
   */
  runProgram(session: SessionId, name: string, context: Uint8Array): number;
  /** The same on a thread of the libuv pool (4 unless UV_THREADPOOL_SIZE), on `cpu` if given. */
  runProgramAsync(session: SessionId, name: string, context: Uint8Array, cpu?: number): Promise<number>;
  /** Makes the domain's doorbell and puts it into the map `doorbells`. @throws NativeError EEXIST it has one. */
  createDoorbell(session: SessionId, domain: number): void;
  /**
   * Blocks this thread until the domain's doorbell rings (true) or timeoutMs are over (false; -1: never). A ring
   * since the last wait counts. One waiter at a time.
   * @throws NativeError ENOENT no doorbell; EBUSY another thread waits.
   */
  doorbellWait(session: SessionId, domain: number, timeoutMs: number): boolean;
  /** Ends a doorbellWait of another thread, or the next one. */
  ringDoorbell(session: SessionId, domain: number): void;

  // Records of what tasks do (native/recorder.h).

  /**
   * Makes so many ring buffers (a power of two of bytes each) and puts them into the map `records`.
   * @throws NativeError EEXIST there are some; ENOMEM, EINVAL as the kernel says.
   */
  openRecorder(session: SessionId, rings: number, ringBytes: number): void;
  /** Takes records into target, as many as fit whole, and never waits. @returns bytes written. */
  drainRecorder(session: SessionId, target: Uint8Array): number;
  /** Takes them out of the map; returns when no program has one in its hands. They can still be drained. */
  unlinkRecorder(session: SessionId): void;
  /** Gives their memory back. */
  closeRecorder(session: SessionId): void;

  // The calling thread.

  /**
   * Lets this thread, or another one of this process, run on these CPUs only.
   * @throws NativeError EINVAL none of them is online and allowed, ESRCH no such thread.
   */
  pinThread(cpus: readonly number[], tid?: number): void;
  /** The CPUs this thread may run on, ascending. */
  threadAffinity(): number[];
  currentCpu(): number;
  /** The kernel's number of this thread, what BPF calls pid. */
  threadId(): number;
  /** Sets the comm; the kernel keeps 15 bytes. */
  setThreadName(name: string): void;
  /** Into SCHED_EXT, or back into SCHED_OTHER. @throws NativeError EINVAL no sched_ext in this kernel. */
  schedExtSelf(on: boolean): void;
  pageFaults(): PageFaults;
  /** Writes minor and major faults into target[0] and target[1]. */
  pageFaultsInto(target: Float64Array): void;
  /** sched_yield. */
  yieldThread(): void;

  // The running kernel, by its BTF. @throws NativeError ENOENT the kernel has no BTF.

  /** The value of an enumerator, null when the kernel has no such enum or value. */
  kernelEnumValue(enumName: string, valueName: string): bigint | null;
  /** Whether the kernel has this function (kfuncs included), struct or enum. */
  kernelHas(kind: 'func' | 'struct' | 'enum', name: string): boolean;
}
