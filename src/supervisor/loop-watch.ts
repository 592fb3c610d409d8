/** Tells an endless loop in a policy from a pause that ends by itself. */

/** CPU time without a turn. A collection of a heap as large as a worker's may get is over long before. */
const CPU_MAX_MS = 3_000;
/** Time without a turn and without using a CPU: it waits for something that does not come. */
const WAIT_MAX_MS = 30_000;

/** Stuck says for how long a worker has not come round. */
export interface Stuck {
  readonly cpuMs: number;
  readonly elapsedMs: number;
}

/** LoopWatch follows one worker's progress word. */
export class LoopWatch {
  private progress = -1;
  private elapsedMs = 0;
  private cpuAtStartMs = 0;

  /**
   * beat looks once; call it regularly.
   *
   * @param progress - the worker's progress word
   * @param beatMs - the time that counts for this look. Not what a clock shows: when the whole process was stopped, nobody
   *   was stuck.
   * @param cpuMs - reads the thread's CPU time; called only while the word stands still
   * @returns how long it has been stuck, when that is too long
   */
  beat(progress: number, beatMs: number, cpuMs: () => number): Stuck | undefined {
    if (progress !== this.progress) {
      this.progress = progress;
      this.elapsedMs = 0;
      return undefined;
    }
    if (this.elapsedMs === 0) this.cpuAtStartMs = cpuMs();
    this.elapsedMs += beatMs;
    const used = cpuMs() - this.cpuAtStartMs;
    return used >= CPU_MAX_MS || this.elapsedMs >= WAIT_MAX_MS
      ? { cpuMs: used, elapsedMs: this.elapsedMs }
      : undefined;
  }

  /** rest is for times when a still word means nothing: the worker waits for work. */
  rest(): void {
    this.progress = -1;
    this.elapsedMs = 0;
  }
}
