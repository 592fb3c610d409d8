import type { z } from 'zod';
import { LIMIT } from '../shm/layout.generated.js';
import { InTurn } from './lib/in-turn.js';
import { definePolicy } from './policy.js';

const options = (zod: typeof z) =>
  zod.strictObject({
    /** The length of a turn, in microseconds. */
    quantumUs: zod.int().min(LIMIT.SLICE_MIN_US).max(LIMIT.SLICE_MAX_US).default(10_000),
  });

/**
 * rr is round robin: everybody in turn, each for one quantum, whatever its weight, as POSIX has it for SCHED_RR at one
 * priority. A turn that was interrupted goes on where it stopped, ahead of the others; a task that sleeps gives up the rest
 * of it and waits behind all when it wakes.
 */
export default definePolicy({
  name: 'rr',
  summary: 'round robin: everybody in turn for one quantum',
  options,
  standing: 'none',
  weights: 'ignored',
  create: (context) => new InTurn(context, context.options.quantumUs),
});
