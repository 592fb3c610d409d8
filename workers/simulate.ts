/** The entry point of a sweep's threads: one simulation after another. */
import { simulatePoint } from '../src/sim/sweep.js';

export default simulatePoint;
