/**
 * In the machine: `node main.js '{"policy":..., "weights":..., ...}'`. Starts the scheduler, runs the checks, stops it, and prints
 * a JSON line for each.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type CheckResult, type Subject, verdict } from '../check.js';
import { SLICE_US } from '../simulate.js';
import { GUEST_CONFORMANCE, GUEST_PROPERTIES } from './checks.js';

/** GuestOrder is what the machine is told to do. */
export interface GuestOrder {
  readonly policy: string;
  /** `key=value`, as on the command line. */
  readonly options: readonly string[];
  readonly weights: Subject['policy']['weights'];
  /** Run the checks of properties that not every policy has, too. */
  readonly properties: boolean;
}

const ATTACH_LIMIT_MS = 120_000;
const STOP_LIMIT_MS = 30_000;

function tell(name: string, claim: string, { outcome, detail }: CheckResult, startMs: number): void {
  const seconds = (performance.now() - startMs) / 1000;
  process.stdout.write(`${JSON.stringify({ name, claim, outcome, detail, seconds })}\n`);
}

const isEnabled = (): boolean => readFileSync('/sys/kernel/sched_ext/state', 'utf8').trim() === 'enabled';

async function until(condition: () => boolean, limitMs: number): Promise<boolean> {
  const endMs = performance.now() + limitMs;
  while (!condition()) {
    if (performance.now() > endMs) return false;
    await sleep(50);
  }
  return true;
}

async function main({ policy, options, weights, properties }: GuestOrder): Promise<void> {
  const startMs = performance.now();
  const cli = fileURLToPath(new URL('../../cli/main.js', import.meta.url));
  const args = ['run', '--policy', policy, '--domains', 'one', '--slice-us', String(SLICE_US)];
  const more = options.flatMap((option) => ['--policy-option', option]);
  const scheduler = spawn(process.execPath, [cli, ...args, ...more], { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  const note = (chunk: Buffer): void => {
    text += chunk.toString();
  };
  scheduler.stdout.on('data', note);
  scheduler.stderr.on('data', note);
  const ended: { code?: number | null } = {};
  const hasEnded = (): boolean => ended.code !== undefined;
  scheduler.once('close', (code) => (ended.code = code));
  const attached = await until(() => hasEnded() || isEnabled(), ATTACH_LIMIT_MS);
  if (attached && !hasEnded()) {
    process.stderr.write(`attached: ${policy} schedules the machine\n`);
    for (const check of [...GUEST_CONFORMANCE, ...(properties ? GUEST_PROPERTIES : [])]) {
      const beganMs = performance.now();
      const result = await check.run(weights, availableParallelism());
      // What a policy that was thrown out seems to do is the kernel's own doing.
      const stillOn = !hasEnded() && isEnabled();
      tell(
        check.name,
        check.claim,
        stillOn ? result : verdict(false, 'the scheduler ended meanwhile'),
        beganMs,
      );
      if (!stillOn) break;
    }
  }
  scheduler.kill('SIGTERM');
  const stopped = await until(hasEnded, STOP_LIMIT_MS);
  const lines = text.trim().split('\n');
  const problem = lines.find((line) => /policy error|\bERROR\b|\bfailed\b|threw/i.test(line));
  const isWell = stopped && ended.code === 0 && problem === undefined;
  const detail = isWell
    ? 'exit code 0'
    : `exit code ${ended.code ?? 'none'}: ${problem ?? lines.slice(-3).join(' | ')}`;
  tell(
    'whole run',
    'the scheduler attaches, stays, and stops when told to',
    verdict(isWell, detail),
    startMs,
  );
}

await main(JSON.parse(process.argv[2]) as GuestOrder);
