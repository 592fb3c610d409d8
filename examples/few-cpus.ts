/**
 * Few CPUs: a light load is kept on the first CPUs of the domain, so that the others stay idle, deeply and long.
 *
 * Order is by virtual time, as in the built-in `vtime`. What is different is where: the search for an idle CPU begins at the
 * lowest number, so the higher ones get work only when the lower ones have it. No CPU idles while somebody waits.
 */
import { CPU_ANY, DECISION_FLAG, definePolicy, SlotFifo } from 'nodeland';

export default definePolicy({
  name: 'few-cpus',
  summary: 'keeps a light load on the first CPUs, by virtual time',
  // A standing order would let a task wake anywhere.
  standing: 'none',

  create({ nrSlots, sliceUs, tasks, cpus, decisions }) {
    const queue = new SlotFifo(nrSlots);
    const capNs = sliceUs * 1000;
    return {
      enqueue(slot) {
        // The key: weighted execution time, and one slice at most for what it has run since it woke.
        tasks.deadlineInto(slot, capNs, decisions.keyNs);
        queue.push(slot);
      },

      dispatch(room) {
        for (let left = room; left > 0 && queue.size > 0; left--) {
          // Read from shared memory, without asking the kernel: the first CPU of the domain that idles, or -1.
          const idle = cpus.idle();
          // NEAR: not this CPU or none, but from here on.
          if (idle < 0) decisions.publish(queue.shift(), 0, CPU_ANY, 0);
          else decisions.publish(queue.shift(), 0, idle, DECISION_FLAG.NEAR);
        }
      },
    };
  },
});
