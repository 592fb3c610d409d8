// vtime, whose decisions reach the ring beside a stream of wrong ones: slots that do not exist, are free, have another task
// by now, belong to another domain or were decided already. Its own tasks are decided, but those of stress-ng with odd CPUs,
// slices and keys.
import vtime from '../../../../dist/src/policy/vtime.js';
import { DECISION, SLOT } from '../../../../dist/src/shm/layout.generated.js';

const WARM_UP_SLOTS = 256;
const JUNK_PER_BATCH = 4;
const SPARE_ROOM = 64;
/** CPUs of the machine, and some that it does not have. */
const CPUS = 8;
const CPU_ANY = 0xffff;
const STRESS = new Uint32Array(Uint8Array.from('stre', (letter) => letter.charCodeAt(0)).buffer)[0];
const D = DECISION.word;
const S = SLOT.word;

const random = (limit) => Math.floor(Math.random() * limit);
const random32 = () => random(2 ** 32);

/** Puts entries into the ring that DecisionRing.put would refuse. */
class Junk {
  constructor({ decisions, tasks, nrSlots }) {
    this.ring = decisions.ring;
    this.held = decisions.held;
    this.tasks = tasks;
    this.nrSlots = nrSlots;
  }

  slotWord(slot, word) {
    return this.tasks.words[this.tasks.slotsWord + slot * SLOT.words + word];
  }

  /** The entry that was written last. */
  last() {
    return ((this.ring.tail - 1) & this.ring.mask) * DECISION.words;
  }

  write(slot, enq, generation, cpu) {
    const { ring } = this;
    if (ring.tail === ring.end) return;
    const at = (ring.tail & ring.mask) * DECISION.words;
    ring.entries.fill(0, at, at + DECISION.words);
    ring.entries[at + D.slot] = slot;
    ring.entries[at + D.enq] = enq;
    ring.entries[at + D.generation] = (generation & 0xffff) | (cpu << 16);
    ring.entries[at + D.flags] = random32();
    this.number(ring.tail);
    ring.tail = (ring.tail + 1) | 0;
    // What is published counts as no longer held.
    this.held.count++;
  }

  /** The sequence number of an entry. publish writes that of the first one in a batch. */
  number(position) {
    const { ring } = this;
    ring.entries[(position & ring.mask) * DECISION.words + D.seq] = position + ring.seqStep;
    ring.seqStep = 1;
  }

  writeAny() {
    const slot = random(512);
    const [generation, enq] = [this.slotWord(slot, S.generation), this.slotWord(slot, S.enq)];
    switch (random(7)) {
      case 0:
        return this.write(random32(), random32(), random32(), random32());
      case 1:
        return this.write(this.nrSlots - 1 - random(1000), 1, 0, CPU_ANY);
      case 2:
        return this.write(slot, enq, generation + 1 + random(100), CPU_ANY);
      case 3:
        return this.write(slot, enq - 1, generation, CPU_ANY);
      case 4:
        // Another domain's, as if it had been handed over, or one of its own that it may hold: then its real decision comes too late.
        return this.isStress(slot) ? this.write(slot, enq, generation, CPU_ANY) : undefined;
      case 5:
        return this.write(slot, 0, generation, random(0xffff));
      default: {
        const { ring } = this;
        const [first, second] = [this.last(), ring.tail];
        this.write(0, 0, 0, 0);
        // A duplicate of the last decision.
        if (ring.tail !== second) {
          const at = (second & ring.mask) * DECISION.words;
          ring.entries.copyWithin(at, first, first + DECISION.words);
          this.number(second);
        }
      }
    }
  }

  isStress(slot) {
    return this.slotWord(slot, S.comm) === STRESS;
  }

  /** Makes the decision written last an odd one. */
  bend() {
    const { entries } = this.ring;
    const at = this.last();
    const generation = entries[at + D.generation] & 0xffff;
    switch (random(8)) {
      case 0:
        entries[at + D.generation] = generation | (random(0xffff) << 16);
        break;
      case 1:
      case 2:
        // Any CPU of the machine: of another domain, or outside the task's affinity.
        entries[at + D.generation] = generation | (random(CPUS) << 16);
        break;
      case 3:
        entries[at + D.sliceUs] = 1;
        break;
      case 4:
        entries[at + D.sliceUs] = 0xffffffff;
        break;
      case 5:
        entries[at + D.keyHi] = random32();
        break;
      case 6:
        entries[at + D.flags] = random32();
        break;
    }
  }
}

export default {
  ...vtime,
  name: 'chaos',
  summary: 'publishes nonsense beside its decisions',
  create(context) {
    if (context.nrSlots <= WARM_UP_SLOTS) return vtime.create(context);
    const { decisions } = context;
    const junk = new Junk(context);
    const bent = {
      keyNs: decisions.keyNs,
      publish(slot, sliceUs, cpu, flags) {
        const isDone = decisions.publish(slot, sliceUs, cpu, flags);
        if (isDone && junk.isStress(slot)) junk.bend();
        return isDone;
      },
      standing: (...order) => decisions.standing(...order),
      orderStands: (...order) => decisions.orderStands(...order),
    };
    const inner = vtime.create({ ...context, decisions: bent });
    return {
      enqueue: (slot) => inner.enqueue(slot),
      dispatch(room) {
        inner.dispatch(Math.max(room - SPARE_ROOM, 0));
        for (let count = 0; count < JUNK_PER_BATCH; count++) junk.writeAny();
      },
    };
  },
};
