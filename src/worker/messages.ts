/** What the main thread and a domain's worker say to each other, besides the control words and the arena. */
import type { MessagePort } from 'node:worker_threads';
import type { SessionId } from '../kernel/native-addon.js';
import type { AskMode } from '../policy/policy.js';
import type { StopReason, WaitMode } from './run.js';

/** WorkerTask is the one task of a worker's life. */
export interface WorkerTask {
  /** The loaded object, by its number in the addon's table. */
  readonly session: SessionId;
  readonly domain: number;
  readonly threadName: string;
  /** The CPU the worker is pinned to. */
  readonly cpu: number;
  /** Bytes of the arena to map. */
  readonly memoryBytes: number;
  /** A built-in policy's name. */
  readonly policy: string;
  readonly wait: WaitMode;
  readonly ask: AskMode;
  readonly sliceUs: number;
  /** Put the thread into SCHED_EXT: with --partial only such threads are the scheduler's, and it could not park. */
  readonly partial: boolean;
  /** Control words; see control.ts. */
  readonly control: SharedArrayBuffer;
  readonly port: MessagePort;
}

/** WorkerResult is how a worker ended in good order. */
export interface WorkerResult {
  readonly reason: StopReason;
}

/** WorkerMessage is what a worker posts on its port. */
export type WorkerMessage =
  | { readonly kind: 'ready'; readonly domain: number; readonly tid: number }
  | ({ readonly kind: 'stopped'; readonly domain: number } & WorkerResult);
