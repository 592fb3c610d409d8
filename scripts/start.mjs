#!/usr/bin/env node
// `npm start`: set-up, then the demonstration in the sandbox, with its exit code.
import { spawn } from 'node:child_process';
import { buildAll } from './build.mjs';
import { checkoutDir } from './paths.mjs';
import { runMain } from './run.mjs';
import { prepareMachine } from './setup.mjs';

const cli = 'lib/src/cli/main.js';
const machine = ['--cpus', '8', '--nodes', '2', '--memory', '3', '--deterministic'];

await runMain(async () => {
  prepareMachine();
  await buildAll();
  const args = [cli, 'sandbox', ...machine, '--', 'node', cli, 'demo'];
  const child = spawn(process.execPath, args, { cwd: checkoutDir, stdio: 'inherit' });
  // Ctrl-C reaches the child by itself; a signal sent to this process alone is handed on. Either way its end is ours.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 143)));
  });
});
