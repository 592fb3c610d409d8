import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { Inbox, INBOX_SIZE, inboxBytes } from '../../src/handoff/inbox.js';

const SENDERS = 3;
const RECORDS = 300_000;

/** startAt makes an inbox all of whose positions begin there, as if it had been used so often. */
function inboxAt(position: number): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(inboxBytes(1));
  const words = new Int32Array(memory);
  // Tail and head; every place has the number of the lap before, each third as the first of a batch.
  words[0] = position;
  words[32] = position;
  for (let lap = position - INBOX_SIZE; lap < position; lap++)
    words[64 + ((lap & (INBOX_SIZE - 1)) << 2)] = lap % 3 === 0 ? lap + 1 : ~(lap + 1);
  return memory;
}

test.each([0, 2 ** 31 - 1000])(
  'threads that hand over at the same time lose nothing and double nothing, positions beginning at %i',
  { timeout: 120_000 },
  async (position) => {
    const memory = inboxAt(position | 0);
    const inbox = new Inbox(memory, 0);
    const next = new Int32Array(SENDERS);
    const senders = Array.from(
      { length: SENDERS },
      (_, id) =>
        new Worker(new URL('./fixtures/hand-off-sender.mjs', import.meta.url), {
          workerData: { memory, id, count: RECORDS },
        }),
    );
    const over = { is: false };
    const done = Promise.all(senders.map((sender) => once(sender, 'message')));
    void done.then(() => (over.is = true));
    let received = 0;
    while (received < SENDERS * RECORDS) {
      let taken = 0;
      for (; taken < 200 && inbox.take(); taken++) {
        const { slot, enq, stamp, lagNs } = inbox;
        // One sender's records come in order, whole, and none is missing.
        if (enq !== next[slot] || stamp !== (enq & 0xffff) || lagNs !== -256 * enq) {
          expect({ slot, enq, stamp, lagNs }).toEqual({
            slot,
            enq: next[slot],
            stamp: next[slot] & 0xffff,
            lagNs: -256 * next[slot],
          });
        }
        next[slot]++;
      }
      received += taken;
      inbox.release();
      if (taken === 0) {
        if (over.is && inbox.isEmpty()) break;
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    const refusals = (await done).map(([refused]) => Number(refused));
    expect([...next]).toEqual(Array.from({ length: SENDERS }, () => RECORDS));
    expect(inbox.take()).toBe(false);
    // The inbox was full at times, or the test shows less than it should.
    expect(refusals.reduce((sum, refused) => sum + refused, 0)).toBeGreaterThan(0);
  },
);
