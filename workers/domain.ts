/** The entry point of a worker thread: runs one domain until it is told to stop. */
import { runWorker } from '../src/worker/worker.js';

export default runWorker;
