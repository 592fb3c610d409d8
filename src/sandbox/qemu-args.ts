import type { SandboxArch } from './arch.js';
import type { MachinePlan } from './machine.js';

/**
 * Accel says how guest CPUs are executed. `emulated` runs them on as many host threads as QEMU likes; `deterministic` runs them
 * in turn on one thread and lets guest time count instructions, so that latencies do not depend on the host; `kvm` needs /dev/kvm.
 */
export type Accel = 'emulated' | 'deterministic' | 'kvm';

/** A host folder the guest mounts over 9p. */
export interface Share {
  readonly tag: string;
  readonly hostPath: string;
  readonly readonly: boolean;
}

/**
 * The machine's channels, by the file descriptor QEMU inherits. Console is the first serial port; the others are virtio-serial
 * ports, /dev/vport0p1 (control), p2 (standard output) and p3 (standard error) in the guest.
 */
export const CHANNELS = { console: 3, control: 4, stdout: 5, stderr: 6 } as const;

/** The file descriptor on which QEMU inherits the initramfs, a file that has no name any more. */
export const INITRAMFS_FD = 7;

export interface QemuSpec {
  readonly arch: SandboxArch;
  readonly plan: MachinePlan;
  readonly accel: Accel;
  readonly kernelFile: string;
  readonly shares: readonly Share[];
  /** Path of the socket on which QEMU listens for commands. Default: none. */
  readonly monitorSocket?: string | undefined;
}

/** qemuArgs writes the QEMU command line, without the program itself. */
export function qemuArgs(spec: QemuSpec): string[] {
  const { arch, accel } = spec;
  return [
    '-nodefaults',
    '-no-user-config',
    '-no-reboot',
    ...['-display', 'none', '-monitor', monitor(spec.monitorSocket)],
    ...['-machine', arch.machine],
    ...['-cpu', accel === 'kvm' ? arch.kvmCpu : arch.emulatedCpu],
    ...accelArgs(accel),
    ...topologyArgs(spec.plan),
    ...channelArgs(),
    ...spec.shares.flatMap(shareArgs),
    ...['-kernel', spec.kernelFile],
    ...['-initrd', `/dev/fd/${String(INITRAMFS_FD)}`],
    ...['-append', kernelCommandLine(arch)],
  ];
}

// A comma inside a QEMU option value is written twice.
const escaped = (path: string): string => path.replaceAll(',', ',,');

function monitor(socket: string | undefined): string {
  return socket === undefined ? 'none' : `unix:${escaped(socket)},server=on,wait=off`;
}

function accelArgs(accel: Accel): string[] {
  switch (accel) {
    case 'emulated':
      return ['-accel', 'tcg,thread=multi'];
    case 'deterministic':
      return ['-accel', 'tcg,thread=single', '-icount', 'shift=1,sleep=off', '-rtc', 'clock=vm'];
    case 'kvm':
      return ['-accel', 'kvm'];
  }
}

function topologyArgs(plan: MachinePlan): string[] {
  const args = [
    ...['-m', `${String(plan.memoryMiB)}M`],
    '-smp',
    `cpus=${String(plan.cpus)},sockets=${String(plan.nodes.length)},cores=${String(plan.coresPerNode)},threads=${String(plan.smtThreads)}`,
  ];
  plan.nodes.forEach((node, n) => {
    args.push('-object', `memory-backend-ram,id=mem${String(n)},size=${String(node.memoryMiB)}M`);
    args.push(
      '-numa',
      `node,nodeid=${String(n)},memdev=mem${String(n)},cpus=${String(node.firstCpu)}-${String(node.lastCpu)}`,
    );
  });
  plan.distances.forEach((row, src) => {
    row.forEach((val, dst) => {
      if (src !== dst) args.push('-numa', `dist,src=${String(src)},dst=${String(dst)},val=${String(val)}`);
    });
  });
  return args;
}

function channelArgs(): string[] {
  const chardev = (name: keyof typeof CHANNELS): string[] => [
    '-chardev',
    `socket,id=${name},fd=${String(CHANNELS[name])}`,
  ];
  const port = (name: keyof typeof CHANNELS, nr: number): string[] => [
    ...chardev(name),
    ...['-device', `virtserialport,chardev=${name},nr=${String(nr)},name=nodeland.${name}`],
  ];
  return [
    ...chardev('console'),
    ...['-serial', 'chardev:console'],
    ...['-device', 'virtio-serial-pci'],
    ...port('control', 1),
    ...port('stdout', 2),
    ...port('stderr', 3),
  ];
}

function shareArgs(share: Share): string[] {
  const mode = share.readonly ? ',readonly=on' : '';
  return [
    '-virtfs',
    `local,path=${escaped(share.hostPath)},mount_tag=${share.tag},security_model=none,multidevs=remap${mode}`,
  ];
}

function kernelCommandLine(arch: SandboxArch): string {
  return [
    `console=${arch.consoleDevice}`,
    'quiet',
    'panic=-1',
    'nokaslr',
    'mitigations=off',
    'audit=0',
    'apparmor=0',
    ...arch.kernelArgs,
  ].join(' ');
}
