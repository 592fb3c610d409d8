/** What the workloads' programs print, beside cyclictest, which src/supervisor/load.ts reads. Pure. */

/** secondsOfHackbench reads its one figure. @throws Error with what it said instead */
export function secondsOfHackbench(text: string): number {
  return numberIn('hackbench', text, /^Time:\s*([\d.]+)/m);
}

/** Operations is a stressor's line of `stress-ng --metrics-brief`. */
export interface Operations {
  readonly bogoOps: number;
  /** Per second of real time. */
  readonly bogoOpsPerS: number;
}

/** parseStressNg reads one stressor's operations. @throws Error with what it said instead */
export function parseStressNg(text: string, stressor: string): Operations {
  // Stressor, operations, real, user and system time, operations per second of real time.
  const line = new RegExp(`\\] ${stressor}\\s+(\\d+)\\s+[\\d.]+\\s+[\\d.]+\\s+[\\d.]+\\s+([\\d.]+)`).exec(
    text,
  );
  if (line === null) throw unreadable('stress-ng', text);
  return { bogoOps: Number(line[1]), bogoOpsPerS: Number(line[2]) };
}

/** RequestLatency is what build/bench/requests prints. */
export interface RequestLatency {
  readonly requests: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  readonly maxUs: number;
}

function numberIn(program: string, text: string, pattern: RegExp): number {
  const found = pattern.exec(text)?.[1];
  if (found === undefined) throw unreadable(program, text);
  return Number(found);
}

const unreadable = (program: string, text: string): Error =>
  new Error(`${program} printed no figures: ${text.slice(0, 200)}`);
