// Records what runs under load by the socket, and by the command without load: a process takes seconds to start in an emulated
// machine. The files go out with the records, to be replayed there.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { nodeland, scheduleUnder, tell } from './scheduler.mjs';

const loaded = '/tmp/loaded.rec';
const interrupted = '/tmp/interrupted.rec';
const left = '/tmp/left.rec';

const start = (file, durationMs) => ({
  command: 'record-start',
  file,
  force: false,
  maxBytes: 1 << 24,
  ...(durationMs === undefined ? {} : { durationMs }),
});

/** The answer to one request on a connection that stays. */
async function ask(socket, body) {
  socket.write(`${JSON.stringify({ version: 1, ...body })}\n`);
  const [chunk] = await once(socket, 'data');
  return JSON.parse(String(chunk));
}

/** By nodeland record, on a machine that idles, until Ctrl-C. */
async function byCommand() {
  const client = spawn(nodeland[0], [nodeland[1], 'record', '-o', interrupted]);
  const text = { out: '', err: '' };
  client.stdout.on('data', (chunk) => (text.out += chunk));
  client.stderr.on('data', (chunk) => (text.err += chunk));
  while (!existsSync(interrupted) && client.exitCode === null) await sleep(50);
  await sleep(300);
  client.kill('SIGINT');
  const [exitCode] = await once(client, 'close');
  return { exitCode, ...text };
}

async function underLoad(socket) {
  const loads = [
    spawn('stress-ng', ['--cpu', '5', '--cpu-method', 'loop', '--quiet']),
    spawn('cyclictest', ['-q', '-t', '2', '-i', '2000']),
    spawn('sh', ['-c', 'while :; do hackbench -g 1 -l 5 >/dev/null; done']),
  ];
  await sleep(1000);
  let status = await ask(socket, start(loaded, 2000));
  while (status.ok && status.recording.why === undefined) {
    await sleep(100);
    status = await ask(socket, { command: 'record-status' });
  }
  const refused = await ask(socket, start(loaded));
  for (const load of loads) load.kill('SIGKILL');
  return { status, refused };
}

/** Whoever asked for it goes away. */
async function withoutEnd(socket) {
  const begun = await ask(socket, start(left));
  await sleep(200);
  socket.destroy();
  const again = connect('/run/nodeland.sock');
  let afterwards;
  // Until the one before has ended there is no room for another.
  do {
    await sleep(50);
    afterwards = await ask(again, start('/tmp/no/such/folder.rec'));
  } while (afterwards.error?.includes('under way'));
  again.destroy();
  return { begun, afterwards };
}

await scheduleUnder('scheduler', {
  args: ['--domains', 'node'],
  groups: [],
  during: async () => {
    const command = await byCommand();
    const socket = connect('/run/nodeland.sock');
    return { command, ...(await underLoad(socket)), ...(await withoutEnd(socket)) };
  },
});

for (const [name, file] of Object.entries({ loaded, interrupted, left }))
  tell(name, { base64: readFileSync(file).toString('base64') });
