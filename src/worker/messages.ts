/** What the main thread and a domain's worker say to each other, besides the control words and the arena. */
import type { MessagePort } from 'node:worker_threads';
import type { SessionId } from '../kernel/native-addon.js';
import type { AskMode, DomainNeighbours } from '../policy/policy.js';
import type { StopReason, WaitMode } from './run.js';

/** PolicyOrder is a policy as a worker gets it. */
export interface PolicyOrder {
  /** A built-in policy's name, or the URL or path of a JavaScript module. */
  readonly policy: string;
  /** Checked by the main thread. */
  readonly options?: unknown;
  /** Per-task state, shared by all domains with this policy; see policy/state.ts. */
  readonly stateMemory?: SharedArrayBuffer | undefined;
}

/** WorkerTask is the one task of a worker's life. */
export interface WorkerTask extends PolicyOrder {
  /** The object, by its number in the addon's table; loaded when the control words say so. */
  readonly session: SessionId;
  readonly domain: number;
  readonly threadName: string;
  /** The CPU the worker is pinned to. */
  readonly cpu: number;
  readonly wait: WaitMode;
  readonly ask: AskMode;
  readonly sliceUs: number;
  /** Put the thread into SCHED_EXT: with --partial only such threads are the scheduler's, and it could not park. */
  readonly partial: boolean;
  /** Every domain's inbox; see handoff/inbox.ts. */
  readonly inboxMemory?: SharedArrayBuffer | undefined;
  /** Indexed by CPU: another hardware thread of its core, or itself. */
  readonly siblings?: Uint16Array | undefined;
  readonly neighbours?: DomainNeighbours | undefined;
  /** Control words; see control.ts. */
  readonly control: SharedArrayBuffer;
  readonly port: MessagePort;
}

/** WorkerResult is how a worker ended in good order. */
export interface WorkerResult {
  readonly reason: StopReason;
}

/** SwapAnswer is what came of an order to take another policy. Refused: the old one goes on. */
export type SwapAnswer =
  | {
      readonly kind: 'swapped';
      /** The old one's unload failed with this. */
      readonly warning: string | undefined;
      /** For how long the domain's worker did not look at its ring. */
      readonly awayMs: number;
    }
  | { readonly kind: 'refused'; readonly message: string };

/** WorkerMessage is what a worker posts on its port. A {@link PolicyOrder} is what is posted to it. */
export type WorkerMessage =
  | SwapAnswer
  | { readonly kind: 'ready'; readonly domain: number; readonly tid: number }
  | ({ readonly kind: 'stopped'; readonly domain: number } & WorkerResult);
