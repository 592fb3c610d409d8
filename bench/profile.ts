/**
 * `npm run bench -- profile`: instructions per context switch, by function, under each scheduler. The deterministic machine's time
 * counts instructions, so this is what its figures are made of; QEMU writes down each one.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { UserError } from '../src/cli/errors.js';
import { alignTable } from '../src/observe/report.js';
import { DEFAULT_POLICY } from '../src/policy/builtin-names.js';
import { runInSandbox } from '../src/sandbox/run.js';
import { requireSandbox } from './lab/guest.js';
import { wholeNumber } from '../src/cli/whole-number.js';
import { figure, type ResultFigure } from './lab/result.js';
import { saveResult, withResults } from './lab/store.js';
import { partOf, PARTS, parseSymbols, shortName } from './profile/instructions.js';
import { recordInstructions, type Window } from './profile/recorder.js';
import { parsePeer, parsePolicies, type Peer, type Scheduler, schedulersOf } from './sandbox/scheduler.js';
import { medianOf } from './transport/statistics.js';

const GUEST = fileURLToPath(new URL('./profile-guest.js', import.meta.url));
const WINDOWS = 3;
const TIMEOUT_S = 600;

interface Options {
  readonly policies: readonly string[];
  readonly peer: readonly Peer[];
  readonly load: string;
  readonly millions: number;
  readonly top: number;
  readonly cpus: number;
  readonly nodes: number;
  readonly run: string;
  readonly kernel?: string;
  readonly results: string;
}

interface Profile {
  readonly scheduler: string;
  readonly windows: readonly Window[];
}

/** profileCommand is `bench profile`. */
export function profileCommand(): Command {
  const command = new Command('profile')
    .description('instructions per context switch under EEVDF, nodeland and other schedulers, by function')
    .option('--policies <names>', 'nodeland with these policies, or all', parsePolicies, [DEFAULT_POLICY])
    .option('--peer <name=command>', 'another scheduler: what attaches it; may be given again', parsePeer, [])
    .option('--load <command>', 'what runs meanwhile, for a shell', 'stress-ng --quiet --switch 4')
    .option('--millions <n>', `instructions in each of ${WINDOWS} windows (2)`, wholeNumber(1, 100), 2)
    .option('--top <n>', 'functions to list for each scheduler (25)', wholeNumber(0, 1000), 25)
    .option('--cpus <n>', "the machine's CPUs (4)", wholeNumber(1, 64), 4)
    .option('--nodes <n>', 'and its NUMA nodes (2)', wholeNumber(1, 16), 2)
    .option('--run <options>', 'more options for nodeland run, as one word', '')
    .option('--kernel <version>', 'the sandbox kernel')
    .action(run);
  return withResults(command);
}

async function run(options: Options): Promise<void> {
  const { policies, peer, load, millions, top, cpus, nodes, kernel, results } = options;
  const schedulers = schedulersOf(policies, options.run.split(' ').filter(Boolean), peer);
  requireSandbox(kernel);
  const profiles: Profile[] = [];
  for (const scheduler of schedulers) {
    process.stderr.write(`${scheduler.name} ...\n`);
    profiles.push({ scheduler: scheduler.name, windows: await profileOf(scheduler, options) });
  }
  process.stdout.write(`${partsTable(profiles)}\n`);
  for (const profile of profiles) process.stdout.write(`\n${topTable(profile, top)}\n`);
  const names = schedulers.map(({ name }) => name).join(',');
  const guestKernel = kernel ?? 'newest';
  await saveResult(
    {
      benchmark: 'profile',
      settings: { load, millions, cpus, nodes, run: options.run, guestKernel, schedulers: names },
      figures: profiles.flatMap(figuresOf),
    },
    results,
  );
}

/** profileOf boots a machine for one scheduler, and ends it when enough was seen. @throws UserError with what it said */
async function profileOf(scheduler: Scheduler, options: Options): Promise<Window[]> {
  const folder = mkdtempSync(join(tmpdir(), 'nodeland-profile-'));
  const monitorSocket = join(folder, 'monitor');
  const enough = new AbortController();
  let text = '';
  let isReady: () => void = () => undefined;
  const ready = new Promise<undefined>((resolve) => {
    isReady = (): void => {
      resolve(undefined);
    };
  });
  try {
    const machine = runInSandbox({
      command: [process.execPath, GUEST, JSON.stringify({ scheduler, load: options.load })],
      accel: 'deterministic',
      cpus: options.cpus,
      nodes: options.nodes,
      kernel: options.kernel,
      timeoutSeconds: TIMEOUT_S,
      signal: enough.signal,
      monitorSocket,
      stdout: new Writable({
        write(chunk: Buffer, _encoding, done): void {
          text += chunk.toString('latin1');
          if (text.endsWith('READY\n')) isReady();
          done();
        },
      }),
    });
    const early = await Promise.race([ready, machine]);
    if (early !== undefined)
      throw new UserError(
        `${scheduler.name}: the guest ended with ${early.exitCode}:\n${early.stderr.slice(-2000)}`,
      );
    const instructions = options.millions * 1e6;
    const windows = await Promise.race([
      recordInstructions(monitorSocket, folder, parseSymbols(text), instructions, WINDOWS),
      machine.then(() => []),
    ]);
    enough.abort();
    await machine.catch(() => undefined);
    if (windows.some(({ switches }) => switches > 0)) return windows;
    throw new UserError(`${scheduler.name}: no context switch was seen within ${instructions} instructions`);
  } finally {
    enough.abort();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Per context switch: the median over the windows that had any. */
function perSwitch({ windows }: Profile, of: (window: Window) => number): number {
  return medianOf(
    windows.filter(({ switches }) => switches > 0).map((window) => of(window) / window.switches),
  );
}

function partsTable(profiles: readonly Profile[]): string {
  const row = (name: string, of: (window: Window) => number): string[] => [
    name,
    ...profiles.map((profile) => perSwitch(profile, of).toFixed(0)),
  ];
  const parts = PARTS.map((part) =>
    row(part, ({ counts }) =>
      [...counts.byName].reduce(
        (sum, [name, { instructions }]) => sum + (partOf(name) === part ? instructions : 0),
        0,
      ),
    ),
  );
  return alignTable([
    ['instructions per context switch', ...profiles.map(({ scheduler }) => scheduler)],
    ...parts,
    row('in all', ({ counts }) => counts.instructions),
  ]);
}

function topTable(profile: Profile, top: number): string {
  const names = new Set(profile.windows.flatMap(({ counts }) => [...counts.byName.keys()]));
  const of = (name: string, key: 'instructions' | 'calls'): number =>
    perSwitch(profile, ({ counts }) => counts.byName.get(name)?.[key] ?? 0);
  const rows = [...names]
    .map((name) => ({ name, instructions: of(name, 'instructions'), calls: of(name, 'calls') }))
    .sort((a, b) => b.instructions - a.instructions)
    .slice(0, top)
    .map(({ name, instructions, calls }) => [shortName(name), instructions.toFixed(1), calls.toFixed(2)]);
  return alignTable([[profile.scheduler, 'instructions', 'calls'], ...rows]);
}

function figuresOf({ scheduler, windows }: Profile): ResultFigure[] {
  const seen = windows.filter(({ switches }) => switches > 0);
  const programs = [...new Set(seen.flatMap(({ counts }) => [...counts.byName.keys()]))].filter(
    (name) => partOf(name) === PARTS[0],
  );
  const values = (of: (window: Window) => number): number[] =>
    seen.map((window) => of(window) / window.switches);
  return [
    figure(
      `${scheduler}, in all`,
      'instructions',
      values(({ counts }) => counts.instructions),
    ),
    ...programs.map((name) =>
      figure(
        `${scheduler}, ${shortName(name)}`,
        'instructions',
        values(({ counts }) => counts.byName.get(name)?.instructions ?? 0),
      ),
    ),
  ];
}
