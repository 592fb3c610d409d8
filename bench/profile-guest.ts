/** Inside the sandbox: keeps a load running under a scheduler, and prints the kernel's symbols, then READY. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { underScheduler } from './sandbox/attach.js';
import type { Scheduler } from './sandbox/scheduler.js';

/** After which the load has settled, and policies have left their orders. */
const SETTLE_MS = 3000;

const { scheduler, load } = JSON.parse(process.argv[2] ?? '') as {
  readonly scheduler: Scheduler;
  readonly load: string;
};

// So that the addresses of functions, and of BPF programs, are told.
writeFileSync('/proc/sys/kernel/kptr_restrict', '0');
writeFileSync('/proc/sys/net/core/bpf_jit_kallsyms', '1');
await underScheduler(scheduler, async () => {
  const child = spawn('/bin/sh', ['-c', load], { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = once(child, 'close') as Promise<[number | null]>;
  const early = await Promise.race([ended, sleep(SETTLE_MS)]);
  if (early !== undefined) throw new Error(`the load ended with ${early[0]} at once: ${load}`);
  const functions = readFileSync('/proc/kallsyms', 'utf8').replace(/^\S+ [^tTwW\n] .*\n/gm, '');
  process.stdout.write(`${functions}READY\n`);
  // Whoever watches ends the machine.
  await ended;
});
