// Where things are: the checkout, and the cache folder for what is downloaded once per user.
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const checkoutDir = dirname(dirname(fileURLToPath(import.meta.url)));

export const cacheDir = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'nodeland');
export const kernelsDir = join(cacheDir, 'kernels');
export const vmlinuxHeader = join(cacheDir, 'include', 'vmlinux.h');
/** libbpf unpacked from a package (include/, lib/libbpf.so.1, lib/libbpf.a), used where the system's own is too old. */
export const cachedLibbpfDir = join(cacheDir, 'libbpf');
/** QEMU unpacked from packages (bin/, share/qemu, share/seabios), used where the system's own is too old. */
export const cachedQemuDir = join(cacheDir, 'qemu');
