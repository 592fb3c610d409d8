import { InTurn } from './lib/in-turn.js';
import { definePolicy } from './policy.js';

/**
 * fifo runs tasks in the order in which they asked, each for the default slice. It leaves no standing orders: a task that
 * wakes waits behind all others.
 */
export default definePolicy({
  name: 'fifo',
  summary: 'first come, first served, with the default slice',
  standing: 'none',
  weights: 'ignored',
  create: (context) => new InTurn(context, context.sliceUs),
});
