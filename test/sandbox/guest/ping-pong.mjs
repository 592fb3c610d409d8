// Two threads of one process that wake each other in turn: `node ping-pong.mjs SECONDS`.
import { isMainThread, Worker, workerData } from 'node:worker_threads';

const MILLISECOND = 1;

if (isMainThread) {
  const words = new Int32Array(new SharedArrayBuffer(8));
  const endMs = Date.now() + Number(process.argv[2]) * 1000;
  for (const self of [0, 1]) new Worker(new URL(import.meta.url), { workerData: { words, self, endMs } });
} else {
  const { words, self, endMs } = workerData;
  while (Date.now() < endMs) {
    while (Atomics.load(words, 0) !== self && Date.now() < endMs) {
      Atomics.wait(words, 0, 1 - self, 100 * MILLISECOND);
    }
    // Some work on what the other one wrote.
    for (let count = 0; count < 2000; count++) words[1] = (words[1] + count) | 0;
    Atomics.store(words, 0, 1 - self);
    Atomics.notify(words, 0);
  }
}
