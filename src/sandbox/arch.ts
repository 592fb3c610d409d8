/**
 * What differs between host architectures, in one table. The guest always has the host's architecture, because it
 * runs the host's own programs.
 */
export interface SandboxArch {
  readonly qemu: string;
  readonly machine: string;
  /** CPU model under software emulation. */
  readonly emulatedCpu: string;
  /** CPU model under KVM. */
  readonly kvmCpu: string;
  /** Kernel device name of the first serial port, where the kernel's console goes. */
  readonly consoleDevice: string;
  /** Most CPUs the machine type takes without an interrupt remapper. */
  readonly maxCpus: number;
  readonly kernelArgs: readonly string[];
}

const ARCHES: Readonly<Partial<Record<NodeJS.Architecture, SandboxArch>>> = {
  x64: {
    qemu: 'qemu-system-x86_64',
    machine: 'q35,usb=off',
    emulatedCpu: 'max,la57=off',
    kvmCpu: 'host',
    consoleDevice: 'ttyS0',
    maxCpus: 240,
    kernelArgs: ['no_timer_check', 'tsc=reliable'],
  },
};

/** sandboxArch returns the table's entry for an architecture, or undefined where the sandbox has none yet. */
export function sandboxArch(arch: NodeJS.Architecture = process.arch): SandboxArch | undefined {
  return ARCHES[arch];
}
