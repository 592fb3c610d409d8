/** The control socket: listens, reads requests, answers each in turn. */
import { once } from 'node:events';
import { lstatSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { EXIT, UserError } from '../cli/errors.js';
import { Lines } from './lines.js';
import { type Answer, failure, LINE_MAX_BYTES, parseRequest, type Request } from './protocol.js';

const CONNECTIONS_MAX = 16;
/** Without a word for so long a connection is closed. */
const IDLE_LIMIT_MS = 60_000;
/** So many requests of one connection may wait; it is not read from meanwhile. */
const ANSWER_ALL = 64;
/** Only this user may connect. */
const UMASK = 0o177;

/**
 * Answerer does what is asked.
 *
 * @param gone - aborts when the connection that asked is closed
 * @throws UserError for what cannot be
 */
export type Answerer = (request: Request, gone: AbortSignal) => Promise<Answer>;

/** ControlServer serves one socket until it is closed. */
export class ControlServer {
  private readonly connections = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    readonly path: string,
  ) {}

  /**
   * listen makes the socket, readable and writable for this user alone. One that a dead process left is replaced.
   *
   * @throws UserError when another process serves there, or something else than a socket is in its place; otherwise the
   *   system's own error
   */
  static async listen(path: string, answer: Answerer): Promise<ControlServer> {
    await makeWay(path);
    const server = createServer();
    const control = new ControlServer(server, path);
    server.maxConnections = CONNECTIONS_MAX;
    server.on('connection', (socket) => {
      control.serve(socket, answer);
    });
    const before = process.umask(UMASK);
    try {
      // It is bound before this call returns.
      server.listen(path);
    } finally {
      process.umask(before);
    }
    await once(server, 'listening');
    // The scheduler ends by itself.
    server.unref();
    server.on('error', () => undefined);
    return control;
  }

  /** close removes the socket and ends its connections. */
  async close(): Promise<void> {
    for (const socket of this.connections) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private serve(socket: Socket, answer: Answerer): void {
    this.connections.add(socket);
    const lines = new Lines(LINE_MAX_BYTES);
    let waiting = 0;
    let answered: Promise<void> = Promise.resolve();
    const say = (text: Answer): void => {
      if (socket.writable) socket.write(`${JSON.stringify(text)}\n`);
    };
    const gone = new AbortController();
    socket.on('close', () => {
      this.connections.delete(socket);
      gone.abort();
    });
    // Whoever went away hears nothing.
    socket.on('error', () => socket.destroy());
    socket.setTimeout(IDLE_LIMIT_MS, () => {
      if (waiting === 0) socket.destroy();
    });
    socket.on('data', (chunk) => {
      const whole = lines.add(chunk);
      if (whole === undefined) {
        say(failure(EXIT.usage, `a line is longer than ${LINE_MAX_BYTES} bytes`));
        socket.pause();
        socket.end(() => socket.destroy());
        return;
      }
      for (const line of whole) {
        if (++waiting === ANSWER_ALL) socket.pause();
        answered = answered.then(async () => {
          const request = parseRequest(line);
          say('ok' in request ? request : await attempt(() => answer(request, gone.signal)));
          if (--waiting === ANSWER_ALL - 1) socket.resume();
        });
      }
    });
  }
}

async function attempt(work: () => Promise<Answer>): Promise<Answer> {
  try {
    return await work();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return failure(error instanceof UserError ? error.exitCode : EXIT.failure, message);
  }
}

/** makeWay removes a socket that nobody serves. */
async function makeWay(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw new UserError(`${path} is there, and is no socket: give another --socket`);
  if (await isServed(path))
    throw new UserError(`another nodeland serves ${path}: stop it, or give another --socket`);
  unlinkSync(path);
}

async function isServed(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return true;
  } catch (error) {
    // Anything else, such as one that is too busy to be connected to, is somebody.
    return !(
      error instanceof Error &&
      'code' in error &&
      (error.code === 'ECONNREFUSED' || error.code === 'ENOENT')
    );
  } finally {
    socket.destroy();
  }
}
