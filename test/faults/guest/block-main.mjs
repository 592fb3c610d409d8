// Imported into `nodeland run` (NODE_OPTIONS): blocks its main thread for as many milliseconds as the file /tmp/block-main
// says, when there is one.
import { existsSync, readFileSync, unlinkSync } from 'node:fs';
import { setInterval } from 'node:timers';
import { isMainThread } from 'node:worker_threads';

const FILE = '/tmp/block-main';
const LOOK_MS = 50;

function block() {
  if (!existsSync(FILE)) return;
  const ms = Number(readFileSync(FILE, 'utf8'));
  unlinkSync(FILE);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

if (isMainThread) setInterval(block, LOOK_MS).unref();
