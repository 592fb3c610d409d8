/** Runs the domains' workers in threads. What the supervisor needs of a thread pool, and nothing more. */
import { fileURLToPath } from 'node:url';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { Piscina } from 'piscina';
import type { PolicyOrder, SwapAnswer, WorkerMessage, WorkerResult, WorkerTask } from '../worker/messages.js';

/** From dist/src/supervisor to dist/workers. */
const ENTRY = fileURLToPath(new URL('../../workers/domain.js', import.meta.url));

/**
 * A worker whose policy leaks is ended at this size of its JavaScript heap, before its collections take long. Rings, slots and
 * typed arrays lie outside of it; without a policy that allocates it is some 6 MB.
 */
const HEAP_MAX_MB = 128;

/** Both halves of the young generation with 1 MiB from the beginning on: it never grows, so that it never faults. */
const YOUNG_GENERATION_MB = 3;

/** As the main thread's. All of a worker's stack is locked in memory; the default is four times this. */
const STACK_MB = 1;

/** HostedWorker is one worker at work. */
export interface HostedWorker {
  /** Resolves when the worker is warm and registered; rejects when it died before. */
  readonly ready: Promise<{ readonly tid: number }>;
  /** Resolves with how it ended; rejects when its thread died. */
  readonly ended: Promise<WorkerResult>;
  /** Hands it another policy, which it reads when told to (commandSwap); resolves with its answer, rejects when it ended. */
  swap(order: PolicyOrder): Promise<SwapAnswer>;
  /** Ends the thread whatever it is doing; `ended` then rejects. */
  kill(): void;
}

/** WorkerHost starts workers, each in a thread of its own that lives as long as the worker. */
export interface WorkerHost {
  start(task: Omit<WorkerTask, 'port'>): HostedWorker;
  /** Ends every thread; workers that were not told to stop are terminated. */
  close(): Promise<void>;
}

/**
 * piscinaHost keeps one thread per domain in a piscina pool: one long task each, never recycled, and a dead thread is
 * replaced when its domain is started again.
 */
export function piscinaHost(threads: number): WorkerHost {
  const running = new Set<AbortController>();
  const pool = new Piscina<WorkerTask, WorkerResult>({
    filename: ENTRY,
    minThreads: threads,
    maxThreads: threads,
    idleTimeout: Infinity,
    concurrentTasksPerWorker: 1,
    atomics: 'disabled',
    closeTimeout: 2_000,
    recordTiming: false,
    // Not by flags: V8 takes no compiled code that was kept by a process with others, and compiles all of Node's own anew.
    resourceLimits: {
      maxYoungGenerationSizeMb: YOUNG_GENERATION_MB,
      maxOldGenerationSizeMb: HEAP_MAX_MB,
      stackSizeMb: STACK_MB,
    },
  });
  return {
    start(task) {
      const { port1, port2 } = new MessageChannel();
      const abort = new AbortController();
      running.add(abort);
      const ended = pool
        .run({ ...task, port: port2 }, { transferList: [port2], signal: abort.signal })
        .finally(() => running.delete(abort));
      return {
        ready: readiness(port1, ended),
        ended,
        swap: (order) => swapAnswer(port1, order, ended),
        kill: () => {
          abort.abort();
        },
      };
    },
    async close() {
      await pool.close({ force: true }).catch(() => undefined);
      for (const abort of running) abort.abort();
      await pool.destroy();
    },
  };
}

function readiness(port: MessagePort, ended: Promise<WorkerResult>): HostedWorker['ready'] {
  return new Promise((resolve, reject) => {
    port.on('message', (message: WorkerMessage) => {
      if (message.kind === 'ready') resolve({ tid: message.tid });
    });
    ended.then(
      (result) => {
        port.close();
        reject(new Error(`the worker ended before it was ready: ${JSON.stringify(result)}`));
      },
      (error: unknown) => {
        port.close();
        reject(error instanceof Error ? error : new Error(String(error)));
      },
    );
  });
}

function swapAnswer(
  port: MessagePort,
  order: PolicyOrder,
  ended: Promise<WorkerResult>,
): Promise<SwapAnswer> {
  return new Promise((resolve, reject) => {
    const onMessage = (message: WorkerMessage): void => {
      if (message.kind !== 'swapped' && message.kind !== 'refused') return;
      port.off('message', onMessage);
      resolve(message);
    };
    port.on('message', onMessage);
    const gone = (): void => {
      port.off('message', onMessage);
      reject(new Error('the worker ended'));
    };
    ended.then(gone, gone);
    port.postMessage(order);
  });
}
