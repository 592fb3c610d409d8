/** What the kernel says while a test runs. */
import { closeSync, constants, openSync, readFileSync, readSync } from 'node:fs';

const ALARM =
  /\b(?:WARNING|BUG|Oops|KASAN|UBSAN|Kernel panic|general protection fault|soft lockup|hard LOCKUP|rcu.*stall|unable to handle)\b/i;

/** KernelLog remembers where the log was when it was opened. */
export class KernelLog {
  private constructor(private readonly fd: number) {}

  /** open gives a log, or says why it cannot be read here. */
  static open(): KernelLog | string {
    try {
      const log = new KernelLog(openSync('/dev/kmsg', constants.O_RDONLY | constants.O_NONBLOCK));
      log.lines();
      return log;
    } catch (error) {
      return `/dev/kmsg cannot be read (${codeOf(error)})`;
    }
  }

  /** alarms gives the warnings and bugs that the kernel has reported since. */
  alarms(): string[] {
    return this.lines().filter((line) => ALARM.test(line));
  }

  close(): void {
    closeSync(this.fd);
  }

  /** One read is one record; EPIPE tells that some were overwritten before they were read. */
  private lines(): string[] {
    const record = Buffer.alloc(8192);
    const lines: string[] = [];
    for (;;) {
      try {
        lines.push(record.toString('utf8', 0, readSync(this.fd, record)));
      } catch (error) {
        if (codeOf(error) === 'EAGAIN') return lines;
        if (codeOf(error) !== 'EPIPE') throw error;
      }
    }
  }
}

/** kernelTaint is the kernel's own mark of what went wrong since boot. */
export function kernelTaint(): string {
  return readFileSync('/proc/sys/kernel/tainted', 'utf8').trim();
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
