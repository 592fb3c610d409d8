/** `nodeland record` as it is typed, and recordings on the control socket, with a source of records that is made up. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ControlClient } from '../../src/control/client.js';
import { PROTOCOL_VERSION } from '../../src/control/protocol.js';
import { ControlServer } from '../../src/control/server.js';
import type { RecordSource } from '../../src/record/recorder.js';
import { readRecording } from '../../src/record/read.js';
import { Recordings } from '../../src/supervisor/recordings.js';
import { header, recordBytes } from './recordings.js';

const MAIN = fileURLToPath(new URL('../../lib/src/cli/main.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'nodeland-record-control-'));
const socket = join(folder, 'socket');
let files = 0;
const newFile = (): string => join(folder, `${++files}.rec`);

/** One record at each look, for as long as nothing goes wrong. */
class Trickle implements RecordSource {
  begun = 0;
  closed = 0;
  breaks = false;
  begin(): number {
    this.begun++;
    return 5_000_000_000;
  }
  drain(target: Uint8Array): number {
    if (this.breaks) throw Object.assign(new Error('disk'), { code: 'ENOSPC', syscall: 'write' });
    const bytes = recordBytes({ kind: 'TASK', atUs: 1, pid: 1 });
    target.set(bytes);
    return bytes.length;
  }
  end(): { atNs: number; lost: number } {
    return { atNs: 6_000_000_000, lost: 3 };
  }
  close(): void {
    this.closed++;
  }
}

let source: Trickle;
let recordings: Recordings;
let server: ControlServer;

beforeAll(() => {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is not there: npm run build`);
});
beforeEach(async () => {
  source = new Trickle();
  recordings = new Recordings(source, (startNs) => ({ ...header(), startNs }));
  server = await ControlServer.listen(socket, async (request, gone) => {
    const success = { version: PROTOCOL_VERSION, ok: true } as const;
    switch (request.command) {
      case 'record-start':
        return { ...success, recording: await recordings.start(request, gone) };
      case 'record-status':
        return { ...success, recording: recordings.status(gone) };
      case 'record-stop':
        return { ...success, recording: await recordings.stop(gone) };
      default:
        throw new Error('not asked here');
    }
  });
});
afterEach(async () => {
  await recordings.close();
  await server.close();
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}
const record = (...args: string[]): Promise<Outcome> =>
  new Promise((resolve) => {
    execFile(process.execPath, [MAIN, 'record', '--socket', socket, ...args], (error, out, err) => {
      resolve({ code: error ? Number(error.code) : 0, out, err });
    });
  });

async function untilBegun(): Promise<void> {
  await expect.poll(() => source.begun, { timeout: 20_000 }).toBe(1);
}

describe('nodeland record', () => {
  test('records for its time and tells what came of it', async () => {
    const file = newFile();
    const { code, out, err } = await record('-o', file, '--duration', '0.3');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/^\/.*\.rec: \d+ records of \d+ tasks, 3 lost, 0\.0 MiB in 0\.\d s\n$/);
    expect(readRecording(file)).toMatchObject({ lost: 3 });
    expect(source.closed).toBe(1);
  });

  test('ends well at Ctrl-C', async () => {
    const file = newFile();
    const child: ChildProcess = spawn(process.execPath, [MAIN, 'record', '--socket', socket, '-o', file]);
    await untilBegun();
    child.kill('SIGINT');
    const [code] = (await once(child, 'close')) as [number];
    expect(code).toBe(0);
    expect(readRecording(file).count).toBeGreaterThan(0);
  });

  test('leaves a whole file when it is killed', async () => {
    const file = newFile();
    const child = spawn(process.execPath, [MAIN, 'record', '--socket', socket, '-o', file]);
    await untilBegun();
    child.kill('SIGKILL');
    await expect.poll(() => source.closed, { timeout: 10_000 }).toBe(1);
    await recordings.close();
    expect(readRecording(file).count).toBeGreaterThan(0);
  });

  test('says what is wrong, with the exit code that fits', async () => {
    const file = newFile();
    writeFileSync(file, 'mine');
    const there = await record('-o', file);
    expect(there).toEqual({
      code: 1,
      out: '',
      err: `nodeland: ${file}: is there already: give another name with -o, or --force to put the recording in its place\n`,
    });
    expect(await record('--duration', 'soon')).toMatchObject({
      code: 64,
      err: 'nodeland: --duration: expected a number from 0.001 to 86400, found "soon"\n',
    });
    expect((await record('--max-size', '4096')).err).toContain('expected a number from 1 to 1024');
    expect(await record('-o', newFile(), '--socket', '/no/such/socket')).toMatchObject({ code: 69 });
  });

  test('tells of a disk that fills up, and that the file is whole', async () => {
    const file = newFile();
    const done = record('-o', file);
    await untilBegun();
    await new Promise((resolve) => setTimeout(resolve, 100));
    source.breaks = true;
    const { code, out, err } = await done;
    expect(code).toBe(1);
    expect(out).toContain('ended by an error');
    expect(err).toBe(
      `nodeland: ${file}: no space is left on the disk: give a place on another one with -o\n`,
    );
    // One was taken out to make room for the record that ends the file.
    expect(readRecording(file)).toMatchObject({ lost: 4 });
  });
});

describe('a recording', () => {
  const start = (file: string) =>
    ({ command: 'record-start', file, force: false, maxBytes: 1 << 20 }) as const;

  test('is of the connection that began it, and the only one', async () => {
    const mine = await ControlClient.connect(socket);
    const other = await ControlClient.connect(socket);
    await mine.ask(start(newFile()));
    await expect(other.ask(start(newFile()))).rejects.toThrow(/^another recording is under way, to \//);
    await expect(other.ask({ command: 'record-stop' })).rejects.toThrow('this connection has no recording');
    expect((await mine.ask({ command: 'record-status' })).recording?.why).toBeUndefined();
    expect((await mine.ask({ command: 'record-stop' })).recording?.why).toBe('stopped');
    expect((await other.ask(start(newFile()))).ok).toBe(true);
    other.close();
    await expect.poll(() => source.closed).toBe(2);
    mine.close();
  });

  test('ends when the scheduler does', async () => {
    const file = newFile();
    const client = await ControlClient.connect(socket);
    await client.ask(start(file));
    await recordings.close();
    expect(readRecording(file).lost).toBe(3);
    await expect(client.ask(start(newFile()))).rejects.toThrow('nodeland is ending');
    client.close();
  });
});
