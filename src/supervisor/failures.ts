/** How often a worker may fail, and when it is started again. */

const WINDOW_MS = 60_000;
/** So many failures within the window are too many. */
export const FAILURES_MAX = 3;
const DELAY_MS = 100;
const DELAY_MAX_MS = 5_000;

/** Failures remembers the failures of one domain's worker. */
export class Failures {
  private readonly timesMs: number[] = [];

  /**
   * add takes note of a failure.
   *
   * @returns how long to wait before the next start: 100 ms, doubled with each failure of the last minute, at most 5 s; and
   *   whether these were too many
   */
  add(nowMs: number): { readonly delayMs: number; readonly tooMany: boolean } {
    const { timesMs } = this;
    while (timesMs.length > 0 && nowMs - timesMs[0] > WINDOW_MS) timesMs.shift();
    const delayMs = Math.min(DELAY_MS * 2 ** timesMs.length, DELAY_MAX_MS);
    timesMs.push(nowMs);
    return { delayMs, tooMany: timesMs.length >= FAILURES_MAX };
  }

  /** forget begins anew, for a worker that is started with another policy. */
  forget(): void {
    this.timesMs.length = 0;
  }
}
