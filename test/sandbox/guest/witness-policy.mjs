// vtime, and a witness to every hook: on unload it writes down what it was told, to /tmp/witness-DOMAIN.json. Threads named
// `mover` are handed to the next domain a few times, every second dispatch asks for a kick, and every second task is kept until
// the next tick, so that some are taken away while they are held.
import { writeFileSync } from 'node:fs';
import { definePolicy } from '../../../dist/src/policy/policy.js';
import vtime from '../../../dist/src/policy/vtime.js';

/** Only the real slot table is that large: warm-up passes. */
const WARM_UP_SLOTS = 256;
const HAND_OFFS = 5;
const KEPT_EVERY = 2;
const MOVER = Buffer.from('mover\0\0\0').readUInt32LE(0);

class Witness {
  constructor(context) {
    this.context = context;
    this.inner = vtime.create({
      ...context,
      options: vtime.options.parse({}),
      decisions: this.decisions(context),
    });
    this.held = new Set();
    this.queued = new Set();
    this.kept = new Set();
    this.seen = Object.fromEntries(
      [
        'enqueue',
        'publish',
        'dequeue',
        'taskInit',
        'taskExit',
        'running',
        'stopping',
        'weightChanged',
        'affinityChanged',
      ]
        .concat([
          'cpuOnline',
          'cpuOffline',
          'tick',
          'handOff',
          'kick',
          'twice',
          'unknown',
          'dirty',
          'foreignCpu',
          'idle',
        ])
        .map((name) => [name, 0]),
    );
  }

  decisions(context) {
    const { decisions } = context;
    return {
      keyNs: decisions.keyNs,
      publish: (slot, ...rest) => {
        this.queued.delete(slot);
        // It was taken away meanwhile.
        if (!this.held.has(slot)) return false;
        if (!decisions.publish(slot, ...rest)) {
          this.seen.unknown++;
          return false;
        }
        this.seen.publish++;
        this.held.delete(slot);
        return true;
      },
      standing: (...order) => decisions.standing(...order),
      orderStands: (...order) => decisions.orderStands(...order),
    };
  }

  enqueue(slot) {
    const { seen, held, context } = this;
    seen.enqueue++;
    if (held.has(slot)) seen.twice++;
    held.add(slot);
    context.state.asks[slot]++;
    const isForeign =
      context.tasks.cpu(slot) < context.cpus.nrCpus &&
      context.cpus.domain(context.tasks.cpu(slot)) !== context.domain;
    if (isForeign) seen.foreignCpu++;
    // What was handed to this domain stays.
    if (this.isMover(slot) && !isForeign) {
      const [to] = context.neighbours.nearest;
      if (context.decisions.handOff(slot, to)) {
        seen.handOff++;
        held.delete(slot);
        return;
      }
    }
    if (seen.enqueue % KEPT_EVERY === 0) this.kept.add(slot);
    else this.queue(slot);
  }

  /** vtime has no dequeue: what it has it keeps. */
  queue(slot) {
    if (this.queued.has(slot)) return;
    this.queued.add(slot);
    this.inner.enqueue(slot);
  }

  isMover(slot) {
    const { tasks } = this.context;
    return tasks.words[tasks.slotsWord + slot * 64 + 4] === MOVER && this.seen.handOff < HAND_OFFS;
  }

  dispatch(room) {
    const { seen, context } = this;
    this.inner.dispatch(room);
    if (context.cpus.idle() >= 0) seen.idle++;
    if (seen.enqueue % 2 === 0 && context.decisions.kick(context.cpus.own[0], false)) seen.kick++;
  }

  dequeue(slot) {
    this.seen.dequeue++;
    if (!this.held.delete(slot)) this.seen.unknown++;
  }

  taskInit(slot) {
    this.seen.taskInit++;
    if (this.context.state.asks[slot] !== 0) this.seen.dirty++;
  }

  taskExit() {
    this.seen.taskExit++;
  }

  running() {
    this.seen.running++;
  }

  stopping() {
    this.seen.stopping++;
  }

  weightChanged() {
    this.seen.weightChanged++;
  }

  affinityChanged() {
    this.seen.affinityChanged++;
  }

  cpuOnline() {
    this.seen.cpuOnline++;
  }

  cpuOffline() {
    this.seen.cpuOffline++;
  }

  tick() {
    this.seen.tick++;
    for (const slot of this.kept) if (this.held.has(slot)) this.queue(slot);
    this.kept.clear();
  }

  unload() {
    writeFileSync(
      `/tmp/witness-${this.context.domain}.json`,
      JSON.stringify({ ...this.seen, left: this.held.size }),
    );
  }
}

export default definePolicy({
  name: 'witness',
  summary: 'writes down what it is told',
  state: { asks: 'u32' },
  standing: 'own',
  tickMs: 50,
  create: (context) =>
    context.nrSlots > WARM_UP_SLOTS
      ? new Witness(context)
      : vtime.create({ ...context, options: vtime.options.parse({}) }),
});
