/**
 * The control words of one worker, in a SharedArrayBuffer made by the main thread.
 *   1. The main thread makes them with command WAIT and hands them over with the worker's task.
 *   2. The worker warms up, while the main thread loads and lays out the shared memory, and sleeps in waitForMemory.
 *   3. The main thread commands MAP: the memory is there. The worker maps it, gets ready, says so on its port, and sleeps in
 *      waitForCommand.
 *   4. The main thread commands GO (after attach, so that the loop finds work) or STOP, and wakes it.
 *   5. A running worker looks at the command once per batch. STOP is final: nothing follows it.
 *   6. For another policy the main thread posts it on the port, then turns GO into SWAP. The worker leaves its loop, turns
 *      SWAP back into GO, reads the port, and answers there. Invariant: the order is on the port before the worker looks.
 */
const COMMAND = 0;
const WORDS = 32;

const COMMAND_WAIT = 0;
const COMMAND_MAP = 1;
const COMMAND_GO = 2;
const COMMAND_STOP = 3;
const COMMAND_SWAP = 4;

/** createControl makes control words, with command WAIT. */
export function createControl(): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(WORDS * Int32Array.BYTES_PER_ELEMENT));
}

/** commandMap tells a worker that the shared memory is laid out; nothing to one that knows, or was told to stop. */
export function commandMap(control: Int32Array): void {
  Atomics.compareExchange(control, COMMAND, COMMAND_WAIT, COMMAND_MAP);
  Atomics.notify(control, COMMAND);
}

/** commandGo lets a waiting worker run; it does nothing to one that was told to stop. */
export function commandGo(control: Int32Array): void {
  commandMap(control);
  Atomics.compareExchange(control, COMMAND, COMMAND_MAP, COMMAND_GO);
  Atomics.notify(control, COMMAND);
}

/** commandStop stops a worker, waiting or running. A parked one also needs a wake request to notice at once. */
export function commandStop(control: Int32Array): void {
  Atomics.store(control, COMMAND, COMMAND_STOP);
  Atomics.notify(control, COMMAND);
}

/** waitForMemory blocks this thread until it may map the shared memory (true) or must stop (false). Not for the main thread. */
export function waitForMemory(control: Int32Array): boolean {
  return waitWhile(control, COMMAND_WAIT);
}

/** waitForCommand blocks this thread until it may go (true) or must stop (false). Not for the main thread. */
export function waitForCommand(control: Int32Array): boolean {
  return waitWhile(control, COMMAND_MAP);
}

function waitWhile(control: Int32Array, command: number): boolean {
  while (Atomics.load(control, COMMAND) === command) Atomics.wait(control, COMMAND, command);
  return !mustStop(control);
}

/** mustLeave is the running worker's look (step 5): whether there is something else to do than to go on. */
export function mustLeave(control: Int32Array): boolean {
  return Atomics.load(control, COMMAND) > COMMAND_GO;
}

/** mustStop tells whether it has been told to stop. */
export function mustStop(control: Int32Array): boolean {
  return Atomics.load(control, COMMAND) === COMMAND_STOP;
}

/** commandSwap makes a running worker read its port (step 6). A parked one also needs a wake request. */
export function commandSwap(control: Int32Array): void {
  Atomics.compareExchange(control, COMMAND, COMMAND_GO, COMMAND_SWAP);
}

/** takeSwap tells whether a policy is on the port, and takes the command back. */
export function takeSwap(control: Int32Array): boolean {
  return Atomics.compareExchange(control, COMMAND, COMMAND_SWAP, COMMAND_GO) === COMMAND_SWAP;
}
