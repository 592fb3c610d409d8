/**
 * A thread of the hand-off benchmark, pinned to its CPU. It answers each job (a message) when it is done:
 *   send, receive    one way through an inbox or a MessagePort, so many records in batches
 *   ping, pong       one record there and one back
 */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { Inbox } from '../src/handoff/inbox.js';
import { native } from '../src/kernel/native.js';

/** HandOffTask is what the thread is started with: inbox `own` is received from, `other` sent to. */
export interface HandOffTask {
  readonly cpu: number;
  readonly memory: SharedArrayBuffer;
  readonly own: number;
  readonly other: number;
  readonly port: MessagePort;
}

/** HandOffJob is one measurement's part. */
export interface HandOffJob {
  readonly role: 'send' | 'receive' | 'ping' | 'pong';
  readonly by: 'inbox' | 'port';
  readonly count: number;
  readonly batch: number;
}

const task = workerData as HandOffTask;
native().pinThread([task.cpu]);
const own = new Inbox(task.memory, task.own);
const other = new Inbox(task.memory, task.other);

const jobs = {
  inbox: {
    send({ count, batch }: HandOffJob): void {
      for (let sent = 0; sent < count;) {
        if (!other.reserve(batch)) continue;
        for (let index = 0; index < batch; index++) other.put(sent & 0xffff, sent, 1, 0);
        sent += batch;
      }
    },
    receive({ count }: HandOffJob): void {
      for (let received = 0; received < count;) {
        let taken = 0;
        while (taken < 128 && own.take()) taken++;
        if (taken === 0) continue;
        own.release();
        received += taken;
      }
    },
    ping({ count }: HandOffJob): void {
      for (let index = 0; index < count; index++) {
        other.reserve(1);
        other.put(index & 0xffff, index, 1, 0);
        while (!own.take());
        own.release();
      }
    },
    pong({ count }: HandOffJob): void {
      for (let index = 0; index < count; index++) {
        while (!own.take());
        own.release();
        other.reserve(1);
        other.put(index & 0xffff, index, 1, 0);
      }
    },
  },
  port: {
    send({ count }: HandOffJob): void {
      for (let sent = 0; sent < count; sent++) task.port.postMessage(sent);
    },
    receive({ count }: HandOffJob): void {
      for (let received = 0; received < count;) if (receiveMessageOnPort(task.port) !== undefined) received++;
    },
    ping({ count }: HandOffJob): void {
      for (let index = 0; index < count; index++) {
        task.port.postMessage(index);
        while (receiveMessageOnPort(task.port) === undefined);
      }
    },
    pong({ count }: HandOffJob): void {
      for (let index = 0; index < count; index++) {
        while (receiveMessageOnPort(task.port) === undefined);
        task.port.postMessage(index);
      }
    },
  },
};

parentPort?.on('message', (job: HandOffJob) => {
  const startMs = performance.now();
  jobs[job.by][job.role](job);
  parentPort?.postMessage(performance.now() - startMs);
});
parentPort?.postMessage(0);
