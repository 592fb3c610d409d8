/**
 * Shortest job first: whoever is expected to run the shortest runs first.
 *
 * How long a task will run nobody knows, but most tasks do again what they did before. So the policy keeps, for each task, a
 * moving average of its bursts: 7/8 of the old value and 1/8 of the last burst (the estimate TCP makes of round trips).
 */
import { CPU_ANY, definePolicy, SlotFifo, TASK_FLAG } from 'nodeland';

/** A task that has waited so long, by the domain's clock, is overtaken by nobody who comes now. */
const LONGEST_NS = 50_000_000;

export default definePolicy({
  name: 'shortest-first',
  summary: 'shortest expected burst first',
  // A number for each task, in an array indexed by slot. It is 0 for a new task, and moves with it to other domains.
  state: { burstNs: 'f64' },
  // What a burst was is known only when the policy is asked, so no orders are left for wake-ups to come.
  standing: 'none',
  // A statement for `nodeland policy test`: this policy does not care for nice values.
  weights: 'ignored',

  create({ nrSlots, tasks, decisions, clock, state }) {
    const queue = new SlotFifo(nrSlots);
    const { burstNs } = state;
    return {
      enqueue(slot) {
        if ((tasks.askFlags(slot) & TASK_FLAG.WAKEUP) !== 0) {
          // It slept and woke, perhaps several times since it was asked about: found an idle CPU meanwhile.
          const lastNs = tasks.execSinceDecisionNs(slot) / Math.max(1, tasks.wakes(slot));
          burstNs[slot] += (lastNs - burstNs[slot]) / 8;
        } else {
          // Its slice ended: this burst is at least as long as what it has run so far.
          burstNs[slot] = Math.max(burstNs[slot], tasks.execSinceWakeNs(slot));
        }
        // The key orders tasks, earliest first. Counting from the clock, which moves on, lets those who wait grow older.
        decisions.keyNs[slot] = Math.floor(clock.clockNs() + Math.min(burstNs[slot], LONGEST_NS));
        queue.push(slot);
      },

      // The kernel side sorts by key, so everything is handed over at once. A slice of 0 is the default one.
      dispatch(room) {
        for (let left = room; left > 0 && queue.size > 0; left--) {
          decisions.publish(queue.shift(), 0, CPU_ANY, 0);
        }
      },
    };
  },
});
