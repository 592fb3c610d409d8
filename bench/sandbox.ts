/**
 * `npm run bench -- sandbox`: the kernel's own scheduler, nodeland with one policy or several, and peers, in turn on one
 * deterministic machine: messages, timers, hogs, requests, a build. What runs is in sandbox/workload.ts.
 */
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { EXIT, UserError } from '../src/cli/errors.js';
import { DEFAULT_POLICY } from '../src/policy/builtin-names.js';
import { findProgram } from '../src/sandbox/programs.js';
import { measureInGuest, requireSandbox } from './lab/guest.js';
import { makeProgram } from './lab/make.js';
import { wholeNumber } from '../src/cli/whole-number.js';
import type { Measurement } from './lab/result.js';
import { saveResult, withResults } from './lab/store.js';
import { presentPeers, missingPeers } from './peers/store.js';
import { failuresOf, type Missing, type Outcome, type Plan } from './sandbox/outcome.js';
import { namesOf, parsePeer, parsePolicies, type Peer, schedulersOf } from './sandbox/scheduler.js';
import { type Comparison, figuresOf, jsonText, tablesText } from './sandbox/table.js';
import { DEFAULT_WORKLOADS, type Workload, WORKLOAD_NAMES, workloadsOf } from './sandbox/workload.js';

const GUEST = fileURLToPath(new URL('./sandbox-guest.js', import.meta.url));
/** Wall seconds on a slow host, for each four CPUs: starting and stopping a scheduler, and one workload under it. */
const ATTACH_TIMEOUT_S = 60;
const WORKLOAD_TIMEOUT_S = 90;

interface Options {
  readonly rounds: number;
  readonly policies: readonly string[];
  readonly peer: readonly Peer[];
  readonly peers?: boolean;
  readonly workloads: readonly string[];
  readonly cpus: number;
  readonly nodes: number;
  readonly run: string;
  readonly kernel?: string;
  readonly json?: boolean;
  readonly results: string;
}

/** sandboxBenchCommand is the benchmark's command. */
export function sandboxBenchCommand(): Command {
  const command = new Command('sandbox')
    .description('EEVDF, nodeland and other schedulers in turn on the deterministic sandbox machine')
    .option('--rounds <n>', 'rounds of each (3)', wholeNumber(1, 100), 3)
    .option('--policies <names>', 'nodeland with these policies, or all', parsePolicies, [DEFAULT_POLICY])
    .option('--peer <name=command>', 'another scheduler: what attaches it; may be given again', parsePeer, [])
    .option('--peers', 'the peers that `bench peers` has built')
    .option(
      '--workloads <names>',
      `${WORKLOAD_NAMES.join(', ')}, or all`,
      namesOf('workload', WORKLOAD_NAMES),
      [...DEFAULT_WORKLOADS],
    )
    .option('--cpus <n>', "the machine's CPUs (4)", wholeNumber(1, 64), 4)
    .option('--nodes <n>', 'and its NUMA nodes (2)', wholeNumber(1, 16), 2)
    .option('--run <options>', 'more options for nodeland run, as one word', '')
    .option('--kernel <version>', 'the sandbox kernel')
    .option('--json', 'figures as JSON')
    .action(run);
  return withResults(command);
}

async function run(options: Options): Promise<void> {
  const { rounds, cpus, nodes, kernel, json, results } = options;
  const workloads = workloadsOf(options.workloads);
  const missing = options.peers === true ? missingPeers() : [];
  const plan: Plan = {
    rounds,
    schedulers: schedulersOf(options.policies, options.run.split(' ').filter(Boolean), [
      ...(options.peers === true ? presentPeers() : []),
      ...options.peer,
    ]),
    workloads: workloads.map(({ name }) => name),
  };
  requireSandbox(kernel);
  requirePrograms(workloads);
  makeProgram('requests');
  const outcomes = await measureInGuest<Outcome>({
    command: [process.execPath, GUEST, JSON.stringify(plan)],
    cpus,
    nodes,
    memoryGiB: Math.max(2, Math.ceil(cpus / 4)),
    timeoutSeconds: timeoutSeconds(plan, cpus),
    kernel,
  });
  const schedulers = plan.schedulers.map(({ name }) => name);
  const comparison: Comparison = { cpus, rounds, schedulers, workloads, outcomes, missing };
  process.stdout.write(`${json === true ? jsonText(comparison) : tablesText(comparison)}\n`);
  await saveResult(measurementOf(comparison, options), results);
  failIfOwnFailed(plan, failuresOf(outcomes));
}

/** @throws UserError naming what a workload lacks on this machine, whose programs the sandbox has too */
function requirePrograms(workloads: readonly Workload[]): void {
  for (const { name, needs = [] } of workloads) {
    const lacking = needs.filter((program) => findProgram(program) === undefined);
    if (lacking.length > 0)
      throw new UserError(`workload ${name} needs ${lacking.join(' and ')}`, EXIT.unavailable);
  }
}

function timeoutSeconds({ rounds, schedulers, workloads }: Plan, cpus: number): number {
  const turnS = ATTACH_TIMEOUT_S + WORKLOAD_TIMEOUT_S * workloads.length;
  return 120 + Math.ceil((rounds * schedulers.length * turnS * Math.max(4, cpus)) / 4);
}

/** Peers come as they are; that nodeland fails is a finding. */
function failIfOwnFailed({ schedulers }: Plan, failures: readonly Missing[]): void {
  const own = schedulers.filter(({ kind }) => kind === 'nodeland').map(({ name }) => name);
  if (failures.some(({ name }) => own.includes(name))) process.exitCode = EXIT.failure;
}

/** The machine's own kernel is the host's; the guest's is among the settings. Peers' commands are not: they are paths. */
function measurementOf(comparison: Comparison, options: Options): Measurement {
  const { cpus, rounds, schedulers, workloads, outcomes, missing } = comparison;
  const list = (entries: readonly { readonly name: string }[]): string =>
    entries.map(({ name }) => name).join(',');
  return {
    benchmark: 'sandbox',
    settings: {
      rounds,
      run: options.run,
      guestKernel: options.kernel ?? 'newest',
      cpus,
      nodes: options.nodes,
      schedulers: schedulers.join(','),
      workloads: list(workloads),
      failed: list(failuresOf(outcomes)),
      missing: list(missing),
    },
    figures: figuresOf(comparison),
  };
}
