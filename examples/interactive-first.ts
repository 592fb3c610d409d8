/**
 * Two classes: a task that woke goes before tasks that have used up a slice, and takes their CPU from them.
 *
 * Whoever waits for keys, packets or disks sleeps often, runs shortly, and is waited for. Whoever computes does not notice 20
 * ms. The head start is bounded: one who computes is overtaken only by those who wake within `headStartMs` after it came.
 */
import { CPU_ANY, DECISION_FLAG, definePolicy, SlotFifo, TASK_FLAG, z } from 'nodeland';

export default definePolicy({
  name: 'interactive-first',
  summary: 'tasks that woke before tasks that compute',
  // `--policy-option headStartMs=50`, or in the configuration file. z is zod (https://zod.dev).
  options: z.strictObject({
    headStartMs: z.number().min(0).max(1000).default(20).describe('how far tasks that woke are put forward'),
  }),
  weights: 'ignored',
  standing: 'none',

  create({ nrSlots, sliceUs, tasks, decisions, clock, options }) {
    const interactive = new SlotFifo(nrSlots);
    const batch = new SlotFifo(nrSlots);
    const headStartNs = options.headStartMs * 1_000_000;
    return {
      enqueue(slot) {
        const woke = (tasks.askFlags(slot) & TASK_FLAG.WAKEUP) !== 0;
        decisions.keyNs[slot] = clock.clockNs() + (woke ? 0 : headStartNs);
        (woke ? interactive : batch).push(slot);
      },

      // There may be less room than there are tasks; then those who woke are handed over first here as well.
      dispatch(room) {
        let left = room;
        for (; left > 0 && interactive.size > 0; left--) {
          // A short slice: who is not done after it computes.
          decisions.publish(interactive.shift(), sliceUs >> 1, CPU_ANY, DECISION_FLAG.PREEMPT);
        }
        for (; left > 0 && batch.size > 0; left--) {
          decisions.publish(batch.shift(), sliceUs, CPU_ANY, 0);
        }
      },
    };
  },
});
