/** Page faults and CPU time of threads, from /proc: no word of the hot path is spent on them. */
import { readFileSync } from 'node:fs';

export interface FaultCounts {
  readonly minor: number;
  readonly major: number;
}

export interface ThreadUse extends FaultCounts {
  /** In the kernel's ticks of 10 ms. */
  readonly cpuMs: number;
}

/** Of times in /proc (USER_HZ), on every architecture. */
const TICK_MS = 10;

/** threadUse is what a thread of this process used since it began; undefined when the thread is gone. */
export function threadUse(tid: number): ThreadUse | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/self/task/${tid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // proc(5): the name in parentheses may hold anything; minflt is field 10, majflt 12, utime 14, stime 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return {
    minor: Number(fields[7]),
    major: Number(fields[9]),
    cpuMs: (Number(fields[11]) + Number(fields[12])) * TICK_MS,
  };
}

/** FaultWatch counts page faults of workers from the moment each is added. */
export class FaultWatch {
  private readonly since = new Map<number, { tid: number; begin: FaultCounts; last: FaultCounts }>();

  /** begin (again) to count for a domain's worker. */
  begin(domain: number, tid: number): void {
    const begin = threadUse(tid) ?? { minor: 0, major: 0 };
    this.since.set(domain, { tid, begin, last: begin });
  }

  /** faults since begin; the last known when the thread has gone. */
  faults(domain: number): FaultCounts {
    const watched = this.since.get(domain);
    if (watched === undefined) return { minor: 0, major: 0 };
    watched.last = threadUse(watched.tid) ?? watched.last;
    return {
      minor: watched.last.minor - watched.begin.minor,
      major: watched.last.major - watched.begin.major,
    };
  }
}
