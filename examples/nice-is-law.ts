/**
 * Nice is law: a task of lower nice value goes before one of higher, not a bit more often but always, as priorities were on
 * early Unix. And as there, who waits grows older, so that nobody waits for ever.
 */
import { CPU_ANY, DECISION_FLAG, definePolicy, SlotFifo, TASK_FLAG, z } from 'nodeland';

/** Each nice level is 1.25 times the next one's weight (the kernel's sched_prio_to_weight); 100 is nice 0. */
const LOG_STEP = Math.log(1.25);

export default definePolicy({
  name: 'nice-is-law',
  summary: 'strict priority by nice value, with ageing',
  options: z.strictObject({
    levelMs: z.number().min(1).max(100).default(10).describe('a wait that is worth one nice level'),
  }),
  // More for the heavier, but in no proportion.
  weights: 'ordered',
  standing: 'none',

  create({ nrSlots, tasks, decisions, clock, options }) {
    const queue = new SlotFifo(nrSlots);
    const levelNs = options.levelMs * 1_000_000;
    return {
      enqueue(slot) {
        const nice = Math.log(100 / tasks.weight(slot)) / LOG_STEP;
        // From 0 for nice -20 to 39 for nice 19. A cgroup's weight may go beyond either.
        const level = Math.min(Math.max(nice + 20, 0), 40);
        // The clock moves on while others run: a task that came earlier gets ahead of a nicer one that comes later.
        decisions.keyNs[slot] = Math.floor(clock.clockNs() + level * levelNs);
        queue.push(slot);
      },

      dispatch(room) {
        for (let left = room; left > 0 && queue.size > 0; left--) {
          const slot = queue.shift();
          // Who wakes takes the CPU of somebody with a later key, if there is one.
          const woke = (tasks.askFlags(slot) & TASK_FLAG.WAKEUP) !== 0;
          decisions.publish(slot, 0, CPU_ANY, woke ? DECISION_FLAG.PREEMPT : 0);
        }
      },
    };
  },
});
