/** Asks a running nodeland. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { EXIT, type ExitCode, UserError } from '../cli/errors.js';
import { Lines } from './lines.js';
import { type Failure, parseAnswer, PROTOCOL_VERSION, type Request, type Success } from './protocol.js';

/** More than changing all policies of a machine takes. */
const ANSWER_LIMIT_MS = 120_000;
/** An answer names all domains with their options. */
const ANSWER_MAX_BYTES = 1 << 24;

type RequestBody = Request extends infer One ? (One extends Request ? Omit<One, 'version'> : never) : never;

/**
 * ask sends a request and resolves with its answer.
 *
 * @throws UserError: 69 when nobody serves there, 77 when this user may not ask, and what the answer says when it is a refusal
 */
export async function ask(path: string, body: RequestBody): Promise<Success> {
  const client = await ControlClient.connect(path);
  try {
    return await client.ask(body);
  } finally {
    client.close();
  }
}

/** ControlClient asks more than once on one connection, one request at a time. */
export class ControlClient {
  private readonly answers: AsyncIterator<Buffer>;

  private constructor(
    private readonly socket: Socket,
    private readonly path: string,
  ) {
    this.answers = linesOf(socket);
  }

  /** connect reaches whoever serves. @throws UserError 69, 77 as {@link ask} */
  static async connect(path: string): Promise<ControlClient> {
    return new ControlClient(await connected(path), path);
  }

  /** ask is as {@link ask} above. */
  async ask(body: RequestBody): Promise<Success> {
    this.socket.write(`${JSON.stringify({ version: PROTOCOL_VERSION, ...body })}\n`);
    const line = await this.nextLine();
    const answer = parseAnswer(line.toString('utf8'));
    if (answer === undefined) throw new UserError(`${this.path}: an answer that is none of nodeland's`);
    if (answer.ok) return answer;
    throw new UserError(answer.error, exitCodeOf(answer));
  }

  close(): void {
    this.socket.destroy();
  }

  private async nextLine(): Promise<Buffer> {
    const { socket, path } = this;
    socket.setTimeout(ANSWER_LIMIT_MS, () => socket.destroy());
    try {
      const next = await this.answers.next();
      if (next.done !== true) return next.value;
    } catch (cause) {
      throw new UserError(`${path}: ${String(cause)}`, EXIT.failure, { cause });
    } finally {
      socket.setTimeout(0);
    }
    throw new UserError(`${path}: nodeland went away without an answer`);
  }
}

async function* linesOf(socket: Socket): AsyncGenerator<Buffer, undefined> {
  const lines = new Lines(ANSWER_MAX_BYTES);
  for await (const chunk of socket) yield* lines.add(chunk as Buffer) ?? [];
}

async function connected(path: string): Promise<Socket> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return socket;
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    if (code === 'EACCES' || code === 'EPERM') {
      throw new UserError(`${path}: only the user who runs nodeland may ask it`, EXIT.privilege, { cause });
    }
    const text = `no scheduler to ask: ${path} (${code}). Is \`nodeland run\` up, with this --socket?`;
    throw new UserError(text, EXIT.unavailable, { cause });
  }
}

function exitCodeOf({ code }: Failure): ExitCode {
  const known = Object.values(EXIT).find((each) => each === code);
  return known === undefined || known === EXIT.ok ? EXIT.failure : known;
}
