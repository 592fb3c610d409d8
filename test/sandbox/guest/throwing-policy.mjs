// fifo, until it has seen 40 tasks. Only the real slot table is that large: warm-up passes.
const TASKS = 40;
const WARM_UP_SLOTS = 1024;

export default {
  name: 'throwing',
  summary: 'gives up after some tasks',
  // With orders made from its decisions a short load may not ask so often.
  standing: 'none',
  create({ nrSlots, decisions, clock }) {
    let left = nrSlots > WARM_UP_SLOTS ? TASKS : Infinity;
    const held = [];
    return {
      enqueue(slot) {
        if (--left < 0) throw new Error('out of ideas');
        held.push(slot);
      },
      dispatch(room) {
        for (const slot of held.splice(0, room)) {
          decisions.keyNs[slot] = clock.clockNs();
          decisions.publish(slot, 0, 0xffff, 0);
        }
      },
    };
  },
};
