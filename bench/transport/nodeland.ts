/** nodeland's side: a thread of its own for each policy. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { TransportTask } from '../transport-worker.js';
import type { BatchTimes, RoundSize, Side } from './round.js';

/** startThread starts a thread of the benchmark and waits until it is ready. Its errors come out of the wait. */
export async function startThread(task: TransportTask): Promise<Worker> {
  const worker = new Worker(new URL('../transport-worker.js', import.meta.url), { workerData: task });
  await once(worker, 'message');
  return worker;
}

/** NodelandThread runs rounds through nodeland's rings with one policy. */
export class NodelandThread {
  private constructor(private readonly worker: Worker) {}

  static async start(cpu: number, policy: string, tasksPerBatch: number): Promise<NodelandThread> {
    return new NodelandThread(await startThread({ kind: 'rounds', cpu, policy, tasksPerBatch }));
  }

  readonly round: Side = async (size: RoundSize) => {
    const answer = once(this.worker, 'message');
    this.worker.postMessage(size);
    return ((await answer) as [BatchTimes[]])[0];
  };

  async close(): Promise<void> {
    const gone = once(this.worker, 'exit');
    this.worker.postMessage('close');
    await gone;
  }
}
