/** The control socket with real connections: what is asked is answered, whatever is sent, and nobody else may connect. */
import fc from 'fast-check';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EXIT, UserError } from '../../src/cli/errors.js';
import { ask } from '../../src/control/client.js';
import { Lines } from '../../src/control/lines.js';
import {
  LINE_MAX_BYTES,
  parseAnswer,
  parseRequest,
  type Answer,
  type Request,
} from '../../src/control/protocol.js';
import { ControlServer } from '../../src/control/server.js';

const folder = mkdtempSync(join(tmpdir(), 'nodeland-control-'));
const path = join(folder, 'socket');
afterAll(() => rmSync(folder, { recursive: true }));

let asked: Request[] = [];
let server: ControlServer;
let respond: (request: Request) => Promise<Answer>;

beforeEach(async () => {
  asked = [];
  respond = () => Promise.resolve({ version: 1, ok: true, domains: [] });
  server = await ControlServer.listen(path, (request) => {
    asked.push(request);
    return respond(request);
  });
});
afterEach(() => server.close());

/** Sends bytes and gives the answers until the server ends the connection, or as many as are wanted. */
async function exchange(bytes: string | Uint8Array, answers: number): Promise<string[]> {
  const socket = connect(path);
  socket.on('error', () => undefined);
  socket.write(bytes);
  const got = await linesFrom(socket, answers);
  socket.destroy();
  return got;
}

async function linesFrom(socket: Socket, count: number): Promise<string[]> {
  const lines = new Lines(1 << 20);
  const got: string[] = [];
  for await (const chunk of socket) {
    got.push(...(lines.add(chunk as Buffer) ?? []).map(String));
    if (got.length >= count) break;
  }
  return got;
}

const refused = (text: string): string => JSON.stringify({ version: 1, ok: false, code: 64, error: text });

describe('the socket', () => {
  test('is for its user alone, and gone when it is closed', async () => {
    expect((statSync(path).mode & 0o777).toString(8)).toBe('600');
    await server.close();
    expect(existsSync(path)).toBe(false);
  });

  test('that a dead process left is replaced', async () => {
    const left = join(folder, 'left');
    const script = `require('net').createServer().listen(${JSON.stringify(left)}, () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', script]);
    expect(statSync(left).isSocket()).toBe(true);
    const again = await ControlServer.listen(left, respond);
    expect((await ask(left, { command: 'policy-list' })).ok).toBe(true);
    await again.close();
  });

  test('that is served by another is left to it', async () => {
    await expect(ControlServer.listen(path, respond)).rejects.toThrow(`another nodeland serves ${path}`);
    expect((await ask(path, { command: 'policy-list' })).ok).toBe(true);
  });

  test('does not take the place of a file', async () => {
    const file = join(folder, 'file');
    writeFileSync(file, 'text');
    await expect(ControlServer.listen(file, respond)).rejects.toThrow(`${file} is there, and is no socket`);
    expect(readFileSync(file, 'utf8')).toBe('text');
  });

  test('in a folder that is not there is an error of the system', async () => {
    await expect(ControlServer.listen(join(folder, 'none', 'socket'), respond)).rejects.toMatchObject({
      code: 'EACCES', // libuv's name for it
    });
  });
});

describe('who asks', () => {
  test('gets the answer to the request as it was checked', async () => {
    const options = { depth: 3, rules: [{ comm: 'make*' }] };
    await ask(path, { command: 'policy-set', domain: 'all', policy: '/p.ts', options });
    expect(asked).toEqual([{ version: 1, command: 'policy-set', domain: 'all', policy: '/p.ts', options }]);
  });

  test('gets a refusal with its exit code', async () => {
    respond = () => Promise.reject(new UserError('domain a: no\ndomain b: no', EXIT.config));
    await expect(ask(path, { command: 'policy-list' })).rejects.toMatchObject({
      message: 'domain a: no\ndomain b: no',
      exitCode: 78,
    });
    respond = () => Promise.reject(new TypeError('a mistake of ours'));
    await expect(ask(path, { command: 'policy-list' })).rejects.toMatchObject({
      message: 'a mistake of ours',
      exitCode: 1,
    });
  });

  test('is told with 69 that nobody is there', async () => {
    await expect(ask(join(folder, 'nobody'), { command: 'policy-list' })).rejects.toMatchObject({
      exitCode: 69,
    });
  });

  test('is told when nodeland goes away without an answer', async () => {
    respond = () => new Promise(() => undefined);
    const answered = ask(path, { command: 'policy-list' });
    answered.catch(() => undefined);
    for (let look = 0; asked.length === 0 && look < 500; look++)
      await new Promise((resolve) => setTimeout(resolve, 5));
    await server.close();
    await expect(answered).rejects.toThrow('went away without an answer');
  });

  test('many times at once gets answers in order', async () => {
    let answers = 0;
    respond = async () => {
      const domains = [{ id: answers++, name: 'n', policy: 'p', source: 's', options: {}, running: true }];
      await new Promise((resolve) => setTimeout(resolve, 1));
      return { version: 1, ok: true, domains };
    };
    const line = '{"version":1,"command":"policy-list"}\n';
    const got = await exchange(line.repeat(200), 200);
    expect(got.map((each) => (JSON.parse(each) as { domains: { id: number }[] }).domains[0].id)).toEqual(
      Array.from({ length: 200 }, (_, index) => index),
    );
  });
});

describe('what is no request is answered with what is wrong', () => {
  test.each<[string, string]>([
    ['', 'expected a JSON object'],
    ['[]', 'expected a JSON object'],
    [
      '{"version":2,"command":"policy-list"}',
      'expected "version": 1, the protocol that this nodeland speaks',
    ],
    [
      '{"version":1}',
      "command: Invalid discriminator value. Expected 'policy-list' | 'policy-set' | 'record-start' | 'record-status' | 'record-stop'",
    ],
    [
      '{"version":1,"command":"record-start","file":"it","force":false,"maxBytes":1}',
      'file: Invalid string: must start with "/"',
    ],
    ['{"version":1,"command":"policy-list","x":1}', 'request: Unrecognized key: "x"'],
    [
      '{"version":1,"command":"policy-set","domain":0,"policy":"fifo"}',
      'domain: Invalid input: expected string, received number',
    ],
    [
      '{"version":1,"command":"policy-set","domain":"0","policy":"fifo","options":{"__proto__":1}}',
      'options: expected a map of plain values',
    ],
  ])('%s', async (line, error) => {
    expect(await exchange(`${line}\n`, 1)).toEqual([refused(error)]);
    expect(asked).toEqual([]);
  });

  test('and a line that is too long ends the connection', async () => {
    const text = `a line is longer than ${LINE_MAX_BYTES} bytes`;
    expect(await exchange('x'.repeat(LINE_MAX_BYTES + 1), 2)).toEqual([refused(text)]);
    expect(await exchange('['.repeat(LINE_MAX_BYTES) + '\n', 1)).toEqual([refused('expected a JSON object')]);
    expect((await ask(path, { command: 'policy-list' })).ok).toBe(true);
  });
});

describe('whatever is sent', () => {
  const good =
    '{"version":1,"command":"policy-set","domain":"0","policy":"fifo","options":{"a":[1,{"b":null}]}}';

  test('each line has one answer, and the next who asks is served', async () => {
    const line = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.jsonValue().map((value) => JSON.stringify(value)),
      fc
        .record({
          version: fc.constantFrom(1, 2, '1', null),
          command: fc.constantFrom('policy-list', 'policy-set', '__proto__', 7),
        })
        .map((value) => JSON.stringify(value)),
      fc
        .tuple(fc.nat(good.length - 1), fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 1 }))
        .map(([at, letter]) => good.slice(0, at) + letter + good.slice(at + 1)),
    );
    const lines = fc.array(
      line.map((text) => text.replaceAll('\n', ' ')),
      { minLength: 1, maxLength: 5 },
    );
    await fc.assert(
      fc.asyncProperty(lines, async (sent) => {
        const got = await exchange(sent.map((each) => `${each}\n`).join(''), sent.length);
        expect(got).toHaveLength(sent.length);
        for (const each of got) expect(parseAnswer(each)).toBeDefined();
      }),
      { numRuns: 300 },
    );
    for (const request of asked) expect(parseRequest(Buffer.from(JSON.stringify(request)))).toEqual(request);
    expect((await ask(path, { command: 'policy-list' })).ok).toBe(true);
  });

  test('bytes in any pieces become the same lines', () => {
    const bytes = fc.uint8Array({ maxLength: 80, max: 20 });
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 8 }), (pieces) => {
        const whole = Buffer.concat(pieces);
        const together = new Lines(1000).add(whole) ?? [];
        const lines = new Lines(1000);
        expect(pieces.flatMap((piece) => lines.add(Buffer.from(piece)) ?? []).map(String)).toEqual(
          together.map(String),
        );
        expect(together.length).toBe(whole.filter((byte) => byte === 10).length);
      }),
    );
  });

  test('more than 16 connections are not open at one time, and those who hang up harm nobody', async () => {
    const sockets = Array.from({ length: 40 }, () => connect(path).on('error', () => undefined));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(sockets.filter((socket) => !socket.destroyed).length).toBeLessThanOrEqual(16);
    for (const socket of sockets) socket.write(`${good}\n`, () => socket.destroy());
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await ask(path, { command: 'policy-list' })).ok).toBe(true);
  });
});
