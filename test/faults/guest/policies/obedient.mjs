// vtime, but it does what the file /tmp/fault-DOMAIN says (guest/faults.mjs, order): pauses, loops, fails, forgets.
import { existsSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import vtime from '../../../../dist/src/policy/vtime.js';

const LOOK_MS = 20;
/** Only the real slot table is that large: warm-up passes. */
const WARM_UP_SLOTS = 256;

/** Once there, the module fails in every thread that loads it. */
const BROKEN = '/tmp/fault-broken';
if (existsSync(BROKEN)) throw new Error('broken');

function busyFor(ms, work = () => undefined) {
  for (const end = performance.now() + ms; performance.now() < end;) work();
}

const faults = {
  pause: (_policy, { ms }) => busyFor(ms),
  garbage(_policy, { ms }) {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc');
    let keep = [];
    busyFor(ms, () => {
      for (let index = 0; index < 1000; index++) keep.push({ index, text: `${index}` });
      if (keep.length < 50_000) return;
      collect();
      keep = [];
    });
  },
  loop() {
    for (;;);
  },
  throw() {
    throw new Error('out of ideas');
  },
  exit() {
    process.exit(3);
  },
  break() {
    writeFileSync(BROKEN, '');
    process.exit(3);
  },
  memory() {
    for (const keep = []; ;) keep.push(new Array(1000).fill(keep.length));
  },
  /** The next tasks are not decided for so long. */
  forget(policy, { ms }) {
    policy.forgetsUntilMs = Date.now() + ms;
  },
};

class Obedient {
  forgetsUntilMs = 0;
  forgotten = [];
  lookAtMs = 0;

  constructor(context) {
    this.file = `/tmp/fault-${context.domain}`;
    this.inner = vtime.create(context);
  }

  enqueue(slot) {
    // Every third task, so that the domain looks alive.
    if (this.forgetsUntilMs !== 0 && slot % 3 === 0) this.forgotten.push(slot);
    else this.inner.enqueue(slot);
  }

  dispatch(room) {
    const nowMs = Date.now();
    if (this.forgetsUntilMs !== 0 && nowMs > this.forgetsUntilMs) {
      this.forgetsUntilMs = 0;
      for (const slot of this.forgotten.splice(0)) this.inner.enqueue(slot);
    }
    if (nowMs >= this.lookAtMs) {
      this.lookAtMs = nowMs + LOOK_MS;
      this.obey();
    }
    this.inner.dispatch(room);
  }

  obey() {
    if (!existsSync(this.file)) return;
    const order = JSON.parse(readFileSync(this.file, 'utf8'));
    unlinkSync(this.file);
    faults[order.kind](this, order);
  }
}

export default {
  ...vtime,
  name: 'obedient',
  summary: 'fails on demand',
  // Warm-up goes on until nothing allocates any more, which the looking at files here always does.
  create: (context) => (context.nrSlots > WARM_UP_SLOTS ? new Obedient(context) : vtime.create(context)),
};
