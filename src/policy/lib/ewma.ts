/** HOT PATH: no allocation, no exceptions. */
import type { Slot } from '../../shm/slot.js';

/**
 * Ewma keeps an exponentially weighted moving average per task, in an array of the policy's state. 0 stands for no sample yet:
 * the first one is taken as it is. O(1).
 */
export class Ewma {
  /**
   * @param values - indexed by slot
   * @param share - of a new sample in the average, above 0 and up to 1: an old sample's part is halved every
   *   ln 2 / share samples or so
   * @throws RangeError
   */
  constructor(
    private readonly values: Float64Array,
    private readonly share: number,
  ) {
    if (!(share > 0 && share <= 1)) throw new RangeError(`share ${share}: expected above 0 and up to 1`);
  }

  add(slot: Slot, sample: number): void {
    const { values } = this;
    const before = values[slot];
    values[slot] = before === 0 ? sample : before + (sample - before) * this.share;
  }

  value(slot: Slot): number {
    return this.values[slot];
  }
}
