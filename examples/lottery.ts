/**
 * A lottery: the next to run is drawn by lot, and more weight is more tickets (after Waldspurger and Weihl, "Lottery Scheduling",
 * OSDI 1994).
 *
 * Drawing from all who wait would take the policy's time for each draw. The same comes of a race: each task is given a
 * random distance to go, shorter on average the heavier it is, and the order of arrival is the order of the draws. The race starts
 * at the task's virtual time, in which it pays for what it has run, so luck evens out.
 */
import { CPU_ANY, definePolicy, SlotFifo, z } from 'nodeland';

export default definePolicy({
  name: 'lottery',
  summary: 'the next to run is drawn by lot, weights are tickets',
  options: z.strictObject({ seed: z.int().min(1).default(1).describe('of the random numbers') }),
  standing: 'none',

  create({ nrSlots, sliceUs, tasks, decisions, options }) {
    const queue = new SlotFifo(nrSlots);
    // xorshift (Marsaglia 2003). In a typed array, since a number that a closure keeps may be allocated anew at each change.
    const random = new Int32Array([options.seed]);
    return {
      enqueue(slot) {
        let bits = random[0];
        bits ^= bits << 13;
        bits ^= bits >>> 17;
        bits ^= bits << 5;
        random[0] = bits;
        // Above 0, at most 1; its negative logarithm is distributed exponentially, with mean 1.
        const luck = -Math.log(((bits >>> 0) + 1) / 2 ** 32);
        const distanceNs = (luck * sliceUs * 1000 * 100) / tasks.weight(slot);
        decisions.keyNs[slot] = Math.floor(tasks.vtimeNs(slot) + distanceNs);
        queue.push(slot);
      },

      dispatch(room) {
        for (let left = room; left > 0 && queue.size > 0; left--) {
          decisions.publish(queue.shift(), 0, CPU_ANY, 0);
        }
      },
    };
  },
});
