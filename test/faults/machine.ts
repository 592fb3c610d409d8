/**
 * Boots a machine for one of the scripts in test/faults/guest/ and judges what its canaries saw: in every window, no task may
 * wait longer from its wake-up to its running than the stall limit and some time to find its turn, and none may be lost.
 *
 * Each file of tests boots one machine, deterministic unless it says otherwise: time there counts instructions, so the limit
 * means the same on any host. NODELAND_TEST_KERNEL names its kernel by the beginning of a version ("6.18"); the newest otherwise.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, expect } from 'vitest';

import { Guest, type GuestOptions, type RunRecord, whyNoSandbox } from '../sandbox/guest.js';

const STALL_MS = 20;
/** From wake to run: the stall limit, one look of the kernel side's timer, and the turns of tasks that were earlier. */
const LATE_LIMIT_US = (STALL_MS + 30) * 1000;
/** A canary that did not run for so long before the end of a window is lost. The burner needs 30 ms of a shared CPU for its turn. */
const LOST_LIMIT_US = 1_000_000;

const KERNEL = process.env['NODELAND_TEST_KERNEL'];

/** A host with other things to do makes a machine slow, and nothing else. */
const HOST_LIMIT_S = 2400;
/** The scripts name each window as it begins. The longest takes a minute, and some on a busy host. */
const SILENCE_LIMIT_S = 600;

interface Canary {
  readonly domain: number;
  readonly kind: 'sleeper' | 'pair' | 'burner';
  readonly wakes: number;
  readonly maxUs: number;
  readonly maxAtS: number;
  readonly sinceLastWakeUs: number;
}

/** Window is what happened from the injection of a fault until it was over. */
export interface Window {
  readonly fault: string;
  readonly seconds: number;
  readonly canaries: readonly Canary[];
  /** Of sched_ext, at its end. */
  readonly state: string;
  /** What the scheduler logged meanwhile. */
  readonly messages: readonly { readonly level: number; readonly msg: string; readonly atS: number }[];
}

export interface ExperimentRecord extends RunRecord {
  readonly windows: readonly Window[];
  /** What went wrong in the script itself. */
  readonly failure?: string;
}

/** Measured is a window's line in build/test/faults-GROUP[-KERNEL].json: the longest time from wake to run of each kind of canary. */
interface Measured {
  readonly group: string;
  readonly run: string;
  readonly fault: string;
  readonly seconds: number;
  readonly sleeperMs: number;
  readonly pairMs: number;
  readonly burnerMs: number;
}

/**
 * FaultMachine is one boot for a file of tests; made while the file is collected. Its group names the file with what was
 * measured, and the script unless that has a name of its own.
 */
export class FaultMachine {
  private guest: Guest | undefined;
  private readonly table: string[] = [];
  private readonly measured: Measured[] = [];
  private readonly noted: Readonly<Record<string, unknown>>[] = [];

  constructor(
    private readonly group: string,
    args: readonly string[] = [],
    options: GuestOptions = {},
    scriptName = group,
  ) {
    const missing = whyNoSandbox(KERNEL);
    beforeAll(async () => {
      if (missing !== undefined) return;
      const script = `../../faults/guest/${scriptName}.mjs`;
      this.guest = await Guest.boot(script, args, {
        accel: 'deterministic',
        kernel: KERNEL,
        timeoutSeconds: HOST_LIMIT_S,
        silenceLimitS: SILENCE_LIMIT_S,
        ...options,
      });
    });
    beforeEach((context) => {
      if (missing !== undefined) context.skip(missing);
    });
    afterAll(() => this.report());
  }

  experiment(name: string): ExperimentRecord {
    const run = this.record(name) as ExperimentRecord;
    if (!run.isAttached) throw new Error(`"${name}" was not attached: ${run.stray}`);
    return run;
  }

  record(name: string): RunRecord {
    if (this.guest === undefined) throw new Error('there is no machine');
    return this.guest.run(name);
  }

  /** window finds a window and keeps it for the table. */
  window(name: string, fault: string): Window {
    const { windows, failure, stray } = this.experiment(name);
    const found = windows.find((window) => window.fault === fault);
    if (found === undefined) throw new Error(`there is no window "${fault}": ${failure ?? stray}`);
    const ms = (kind: Canary['kind']): number =>
      Math.max(...found.canaries.filter((canary) => canary.kind === kind).map(({ maxUs }) => maxUs)) / 1000;
    const row = { sleeperMs: ms('sleeper'), pairMs: ms('pair'), burnerMs: ms('burner') };
    const isKnown = this.measured.some((other) => other.run === name && other.fault === fault);
    if (isKnown) return found;
    this.measured.push({ group: this.group, run: name, fault, seconds: found.seconds, ...row });
    const cells = [fault, name, found.seconds, row.sleeperMs, row.pairMs, row.burnerMs];
    this.table.push(
      `| ${cells.map((cell) => (typeof cell === 'number' ? cell.toFixed(1) : cell)).join(' | ')} |`,
    );
    return found;
  }

  /** note keeps figures that are no window's, for the file and the output. */
  note(figures: Readonly<Record<string, unknown>>): void {
    this.noted.push(figures);
  }

  /** What was measured, in a file and as a table. */
  private report(): void {
    const figures = [...this.measured, ...this.noted];
    if (figures.length === 0) return;
    const folder = fileURLToPath(new URL('../../build/test/', import.meta.url));
    mkdirSync(folder, { recursive: true });
    const name = ['faults', this.group, ...(KERNEL === undefined ? [] : [KERNEL])].join('-');
    writeFileSync(`${folder}${name}.json`, `${JSON.stringify(figures, undefined, 2)}\n`);
    for (const note of this.noted) process.stdout.write(`\n${JSON.stringify(note)}\n`);
    if (this.table.length === 0) return;
    const head =
      '| fault | run | seconds | sleeper max ms | pair max ms | burner max ms |\n|---|---|---|---|---|---|';
    process.stdout.write(`\n${head}\n${this.table.join('\n')}\n`);
  }
}

/**
 * expectNobodyLate: no canary waited longer than it may, and none is lost. `slowness` is the factor by which a machine whose
 * time goes on while its CPUs wait for the host's may be later.
 */
export function expectNobodyLate({ canaries }: Window, slowness = 1): void {
  expect(canaries.filter(({ maxUs }) => maxUs > LATE_LIMIT_US * slowness)).toEqual([]);
  expectNobodyLost({ canaries }, slowness);
}

/** expectNobodyLost: every canary woke up in the window, and lately. */
export function expectNobodyLost({ canaries }: Pick<Window, 'canaries'>, slowness = 1): void {
  expect(canaries.length).toBeGreaterThan(0);
  expect(
    canaries.filter(
      ({ wakes, sinceLastWakeUs }) => wakes === 0 || sinceLastWakeUs > LOST_LIMIT_US * slowness,
    ),
  ).toEqual([]);
}

/** expectUnharmed: nobody was late or lost in this window, and the scheduler is still attached. */
export function expectUnharmed(window: Window): void {
  expectAttached(window);
  expectNobodyLate(window);
}

/** expectAttached: the kernel has not let go of the scheduler by the end of this window. */
export function expectAttached({ messages, state }: Window): void {
  expect(state, messages.map(({ msg }) => msg).join('\n')).toBe('enabled');
}

/** expectGoodEnd: it was attached until it was told to stop, and ended with exit code 0. */
export function expectGoodEnd(run: ExperimentRecord): void {
  expect(run.failure).toBeUndefined();
  expect(run.exitCode, run.stray).toBe(0);
  expect(run.hung).toBe(false);
  expect(run.exitReason).toBe('unregistered from user space');
  expect([run.stateDuring, run.stateAfter]).toEqual(['enabled', 'disabled']);
}

/** expectQuietKernel: no warning, no stalled task, no error of the class in the kernel's log. */
export function expectQuietKernel(machine: FaultMachine): void {
  const { complaints } = machine.record('kernel log') as unknown as { complaints: readonly string[] };
  expect(complaints).toEqual([]);
}
