/** WaitPort is how a worker leaves its loop for a moment. None of these may throw or allocate. */
export interface WaitPort {
  /** yieldThread lets the kernel run somebody else, and look at the decisions. */
  readonly yieldThread: () => void;
  /** block sleeps until the kernel side rings, or a time-out of some 100 ms passes. For `poll`. */
  readonly block: () => void;
}

/**
 * makeWaitPort makes every port, so that all have one shape: warm-up uses two of its own, after which the loop's calls are
 * compiled for any target, and the real one does not throw the compiled loop away.
 */
export function makeWaitPort(yieldThread: () => void, block: () => void = yieldThread): WaitPort {
  return { yieldThread, block };
}
