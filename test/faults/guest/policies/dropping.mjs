// vtime, whose memory is taken away from under it every so many batches: the pages it uses next are not there, and under
// memory pressure the kernel has to find others while every task of the domain waits for this worker.
import { createRequire } from 'node:module';
import vtime from '../../../../dist/src/policy/vtime.js';

const { dropPages } = createRequire(import.meta.url)('../../../../build/test/drop-pages.node');
const WARM_UP_SLOTS = 256;
const BYTES = 1 << 20;
const PAGE_WORDS = 4096 / Float64Array.BYTES_PER_ELEMENT;
const BATCHES_PER_DROP = 64;

export default {
  ...vtime,
  name: 'dropping',
  summary: 'loses its memory now and then',
  create(context) {
    const inner = vtime.create(context);
    if (context.nrSlots <= WARM_UP_SLOTS) return inner;
    const memory = new Float64Array(BYTES / Float64Array.BYTES_PER_ELEMENT);
    let batches = 0;
    return {
      enqueue: (slot) => inner.enqueue(slot),
      dispatch(room) {
        if (++batches % BATCHES_PER_DROP === 0) {
          dropPages(memory.buffer);
          for (let word = 0; word < memory.length; word += PAGE_WORDS) memory[word] += batches;
        }
        inner.dispatch(room);
      },
    };
  },
};
