/**
 * A thread of the hand-off benchmark, pinned to its CPU. It answers each job (a message) when it is done:
 *   send, receive    one way through an inbox, a MessagePort or a ring of ringbuf.js, so many records in batches
 *   ping, pong       one record there and one back; by `word`, one word: what the machine itself takes
 */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { RingBuffer } from 'ringbuf.js';
import { Inbox } from '../src/handoff/inbox.js';
import { native } from '../src/kernel/native.js';
import { medianOf } from './transport/statistics.js';

/** HandOffTask is what the thread is started with: inbox `own` is received from, `other` sent to. */
export interface HandOffTask {
  readonly cpu: number;
  readonly memory: SharedArrayBuffer;
  readonly own: number;
  readonly other: number;
  readonly port: MessagePort;
  /** Its first and its middle word, on lines of their own, are passed to and fro. */
  readonly words: SharedArrayBuffer;
  /** Two rings of ringbuf.js; as the inboxes. */
  readonly rings: readonly SharedArrayBuffer[];
  /** Of a record in them. An inbox has as many, and its number. */
  readonly recordWords: number;
}

/** HandOffJob is one measurement's part. */
export interface HandOffJob {
  readonly role: 'send' | 'receive' | 'ping' | 'pong';
  readonly by: 'inbox' | 'port' | 'ring' | 'word';
  readonly count: number;
  readonly batch: number;
}

const task = workerData as HandOffTask;
native().pinThread([task.cpu]);
const own = new Inbox(task.memory, task.own);
const other = new Inbox(task.memory, task.other);

const [ownRing, otherRing] = [task.own, task.other].map((id) => new RingBuffer(task.rings[id], Int32Array));
const RECORD_WORDS = task.recordWords;
const records = new Int32Array(128 * RECORD_WORDS);

const words = new Int32Array(task.words);
const ownWord = (task.own * words.length) / 2;
const otherWord = (task.other * words.length) / 2;

/** So many records are timed at once; few by port, where they take long. */
const CHUNK_RECORDS = { inbox: 1000, port: 100, ring: 1000, word: 1000 };
const CHUNK_PINGS = { inbox: 100, port: 10, ring: 100, word: 100 };

/** Chunks is nanoseconds per record of short stretches; the median leaves out those in which a side lost its CPU. */
class Chunks {
  private readonly values: number[] = [];
  private startMs = performance.now();

  note(records: number): void {
    const nowMs = performance.now();
    this.values.push(((nowMs - this.startMs) * 1e6) / records);
    this.startMs = nowMs;
  }

  /** 0 for a side that times nothing. */
  get medianNs(): number {
    return this.values.length === 0 ? 0 : medianOf(this.values);
  }
}

type Part = (job: HandOffJob, chunks: Chunks) => void;

/** ping once: there and back. */
function pings(once: (index: number) => void): Part {
  return ({ by, count }, chunks) => {
    const size = CHUNK_PINGS[by];
    for (let done = 0; done < count; done += size) {
      for (let index = 1; index <= size; index++) once(done + index);
      chunks.note(size);
    }
  };
}

/** Receives until all have come; `some` takes what is there. */
function receives(some: () => number): Part {
  return ({ by, count }, chunks) => {
    let chunk = 0;
    for (let received = 0; received < count;) {
      const taken = some();
      received += taken;
      chunk += taken;
      if (chunk < CHUNK_RECORDS[by]) continue;
      chunks.note(chunk);
      chunk = 0;
    }
  };
}

function answers(once: (index: number) => void): Part {
  return ({ count }) => {
    for (let index = 1; index <= count; index++) once(index);
  };
}

function inboxSend({ count, batch }: HandOffJob): void {
  for (let sent = 0; sent < count;) {
    if (!other.reserve(batch)) continue;
    for (let index = 0; index < batch; index++) other.put(sent & 0xffff, sent, 1, 0);
    other.commit();
    sent += batch;
  }
}

function sendOne(index: number): void {
  other.reserve(1);
  other.put(index & 0xffff, index, 1, 0);
  other.commit();
}

function takeOne(): void {
  while (!own.take());
  own.release();
}

function takeSome(): number {
  let taken = 0;
  while (taken < 128 && own.take()) taken++;
  if (taken > 0) own.release();
  return taken;
}

/** What does not fit at once follows. */
function pushRecords(count: number, first: number): void {
  for (let index = 0; index < count; index++) {
    const at = index * RECORD_WORDS;
    records[at] = (first + index) & 0xffff;
    records[at + 1] = first + index;
    records[at + 2] = 1;
    records[at + 3] = 0;
  }
  const wanted = count * RECORD_WORDS;
  for (let done = 0; done < wanted;) done += otherRing.push(records, wanted - done, done);
}

function ringSend({ count, batch }: HandOffJob): void {
  for (let sent = 0; sent < count; sent += batch) pushRecords(batch, sent);
}

/** The record that was read last, as an inbox has it. */
const record = { slot: 0, enq: 0, stamp: 0, lagNs: 0 };

/** Takes what is there, and looks at each record as a receiver must. */
function popSome(): number {
  const count = ownRing.pop(records) / RECORD_WORDS;
  for (let index = 0; index < count; index++) {
    const at = index * RECORD_WORDS;
    record.slot = records[at];
    record.enq = records[at + 1];
    record.stamp = records[at + 2];
    record.lagNs = records[at + 3];
  }
  return count;
}

function popOne(): void {
  for (let got = 0; got < RECORD_WORDS;) got += ownRing.pop(records, RECORD_WORDS - got, got);
}

const post = (index: number): void => task.port.postMessage(index);
function awaitMessage(): void {
  while (receiveMessageOnPort(task.port) === undefined);
}

const setWord = (index: number): void => void Atomics.store(words, otherWord, index);
function awaitWord(index: number): void {
  while (Atomics.load(words, ownWord) !== index);
}

const jobs: Readonly<Record<HandOffJob['by'], Partial<Record<HandOffJob['role'], Part>>>> = {
  inbox: {
    send: inboxSend,
    receive: receives(takeSome),
    ping: pings((index) => {
      sendOne(index);
      takeOne();
    }),
    pong: answers((index) => {
      takeOne();
      sendOne(index);
    }),
  },
  ring: {
    send: ringSend,
    receive: receives(popSome),
    ping: pings((index) => {
      pushRecords(1, index);
      popOne();
    }),
    pong: answers((index) => {
      popOne();
      pushRecords(1, index);
    }),
  },
  port: {
    send: answers(post),
    receive: receives(() => (receiveMessageOnPort(task.port) === undefined ? 0 : 1)),
    ping: pings((index) => {
      post(index);
      awaitMessage();
    }),
    pong: answers((index) => {
      awaitMessage();
      post(index);
    }),
  },
  word: {
    ping: pings((index) => {
      setWord(index);
      awaitWord(index);
    }),
    pong: answers((index) => {
      awaitWord(index);
      setWord(index);
    }),
  },
};

parentPort?.on('message', (job: HandOffJob) => {
  const chunks = new Chunks();
  jobs[job.by][job.role]?.(job, chunks);
  // Nobody writes any more, and the next job begins at 1.
  if (job.by === 'word') Atomics.store(words, ownWord, 0);
  parentPort?.postMessage(chunks.medianNs);
});
parentPort?.postMessage(0);
