import { randomBytes } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { findSandboxParts } from './available.js';
import { commandScript, guestEnvironment } from './command-script.js';
import { SandboxError } from './errors.js';
import { baseInitramfs, runInitramfs } from './initramfs.js';
import { type MachineOptions, type MachinePlan, planMachine } from './machine.js';
import { type Accel, qemuArgs, type Share } from './qemu-args.js';
import { type MachineRun, runMachine } from './qemu.js';
import { workspaceOf } from './workspace.js';

export interface SandboxOptions extends MachineOptions {
  /** Program and arguments; no shell looks at them. */
  readonly command: readonly string[];
  /** Kernel version or the beginning of one ("6.18"). Default: the newest in the cache. */
  readonly kernel?: string | undefined;
  /** Default 'emulated'. */
  readonly accel?: Accel | undefined;
  /** Working folder of the command. Default: this process's. */
  readonly cwd?: string | undefined;
  /** The one folder of the host that the guest may write to. Default: {@link workspaceOf} the working folder. */
  readonly workspace?: string | undefined;
  /** Added to the command's environment. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** For the whole run, boot included, in host time. Default: none. */
  readonly timeoutSeconds?: number | undefined;
  /** Until the command starts, in host time. Default: by the number of CPUs. */
  readonly bootTimeoutSeconds?: number | undefined;
  /** Where QEMU listens for commands of its monitor (a Unix socket's path). Default: nowhere. */
  readonly monitorSocket?: string | undefined;
  /** Ends the machine. */
  readonly signal?: AbortSignal | undefined;
  /** Get the command's output, and the kernel's console, as it comes. They are not ended. */
  readonly stdout?: Writable | undefined;
  readonly stderr?: Writable | undefined;
  readonly console?: Writable | undefined;
}

export interface SandboxResult {
  /** As a shell reports it: 128 + n when signal n ended the command. */
  readonly exitCode: number;
  /** Both streams in the order in which they arrived; at most the last 16 MiB of each of these three. */
  readonly output: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly consoleTail: string;
  /** Host time until the command started, and in all. */
  readonly bootSeconds: number;
  readonly seconds: number;
}

const HOST_ROOT: Share = { tag: 'host-root', hostPath: '/', readonly: true };

/**
 * runInSandbox boots a machine on a real kernel with the host's file system, runs one command in it as root and returns its exit
 * code and output. Only the workspace can be written to; all else the command changes is gone afterwards. Throws SandboxError when
 * something is missing, the machine does not boot or ends early, or on timeout and abort. The machine never outlives this process.
 */
export async function runInSandbox(options: SandboxOptions): Promise<SandboxResult> {
  if (options.command.length === 0) throw new SandboxError('there is no command to run', 'options');
  const { arch, qemu, firmwareFolders, busybox, kernel } = findSandboxParts(options.kernel);
  const plan = planMachine(options, arch.maxCpus);
  const accel = options.accel ?? 'emulated';
  const cwd = realpathSync(options.cwd ?? process.cwd());
  const shares = workspaceShares(options.workspace ?? workspaceOf(cwd));
  const endMark = randomBytes(16).toString('hex');

  const runFiles = runInitramfs({
    command: commandScript(options.command, cwd, guestEnvironment(options.env)),
    endMark,
    shares: shares.map(({ tag, hostPath }) => ({ tag, path: hostPath })),
  });
  const initramfs = Buffer.concat([baseInitramfs(kernel, busybox), runFiles]);
  const boot = (): Promise<SandboxResult> =>
    bootOnce(initramfs, {
      ...options,
      qemu,
      args: [
        ...firmwareFolders.flatMap((folder) => ['-L', folder]),
        ...qemuArgs({
          arch,
          plan,
          accel,
          kernelFile: kernel.imageFile,
          shares: [HOST_ROOT, ...shares],
          monitorSocket: options.monitorSocket,
        }),
      ],
      endMark,
      bootTimeoutSeconds: options.bootTimeoutSeconds ?? defaultBootTimeoutSeconds(plan, accel),
    });
  return boot().catch((error: unknown) => {
    if (accel === 'emulated' && endedWhileBooting(error)) return boot();
    throw error;
  });
}

/** The initramfs is read through a descriptor of its own, whose position the last reader has moved. */
async function bootOnce(initramfs: Buffer, run: Omit<MachineRun, 'initramfsFd'>): Promise<SandboxResult> {
  const initramfsFd = unnamedFile(initramfs);
  try {
    return await runMachine({ ...run, initramfsFd });
  } finally {
    closeSync(initramfsFd);
  }
}

/**
 * Emulated by several threads, a machine now and then ends while it boots: QEMU finds its own tables inconsistent, or a CPU meets an
 * int3 that the kernel, patching its own code, has forgotten already. Nothing of the command has run by then.
 */
function endedWhileBooting(error: unknown): boolean {
  return (
    error instanceof SandboxError && error.reason === 'boot' && error.message.includes('ended while booting')
  );
}

/** A file that is gone when its last reader is, however this process ends. Returns a descriptor to read it with. */
function unnamedFile(content: Buffer): number {
  const folder = mkdtempSync(join(tmpdir(), 'nodeland-sandbox-'));
  try {
    const file = join(folder, 'initramfs.cpio');
    writeFileSync(file, content, { mode: 0o600 });
    return openSync(file, 'r');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function workspaceShares(workspace: string): Share[] {
  const hostPath = realpathSync(workspace);
  if (hostPath.includes('\n'))
    throw new SandboxError('a workspace path cannot contain a line break', 'options');
  return hostPath === '/' ? [] : [{ tag: 'workspace', hostPath, readonly: false }];
}

/** Generous: boot takes some 5 s, and about 1.5 s more per CPU where many guest CPUs share few host CPUs. */
function defaultBootTimeoutSeconds(plan: MachinePlan, accel: Accel): number {
  return (60 + 5 * plan.cpus) * (accel === 'deterministic' ? 2 : 1);
}
