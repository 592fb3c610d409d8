/** What is to be simulated: as typed, and checked. */
import { EXIT, UserError } from '../cli/errors.js';
import type { ConfigInput } from '../config/config.js';
import { harmless, show } from '../config/issues.js';
import { MAX_CPUS, MAX_DOMAINS } from '../topology/ids.js';
import { parseFault, type SimFault } from './faults.js';
import type { MachineSize } from './machine.js';
import { DEFAULT_WORKLOAD } from './workloads/named.js';
import { LONGEST_MS } from './workloads/schema.js';

interface Range {
  readonly min: number;
  readonly max: number;
  readonly whole: boolean;
}

/** What a number may be, by its option. */
const NUMBERS = {
  cpus: { min: 1, max: MAX_CPUS, whole: true },
  nodes: { min: 1, max: MAX_DOMAINS, whole: true },
  'warm-up-ms': { min: 0, max: LONGEST_MS, whole: false },
  'duration-ms': { min: 0.001, max: LONGEST_MS, whole: false },
  switches: { min: 1, max: 1_000_000_000, whole: true },
  seed: { min: 0, max: 2 ** 32 - 1, whole: true },
  'decision-ns': { min: 0, max: 1_000_000_000, whole: false },
  'batch-ns': { min: 0, max: 1_000_000_000, whole: false },
} as const satisfies Record<string, Range>;

export type NumberOption = keyof typeof NUMBERS;

/** isNumberOption tells the options above from others. */
export function isNumberOption(name: string): name is NumberOption {
  return Object.hasOwn(NUMBERS, name);
}

/** Docs/performance.md: push, decide and drain of a task; the switch to a parked worker and back. */
export const DECISION_NS = 55;
export const BATCH_NS = 3000;
export const CPUS = 16;
export const NODES = 2;

/** SimInput is what was typed. Plain data: it can be sent to another thread. */
export interface SimInput {
  readonly config: ConfigInput;
  readonly numbers: Readonly<Partial<Record<NumberOption, string>>>;
  readonly workload?: string | undefined;
  /** A recording's file, instead of a workload. */
  readonly replay?: string | undefined;
  readonly faults?: readonly string[] | undefined;
}

/** SimRequest is that with its numbers read and its defaults filled in. */
export interface SimRequest {
  readonly config: ConfigInput;
  /** Without it, the one that was recorded. */
  readonly machine: MachineSize | undefined;
  /** A workload's name or file, or with `isReplay` a recording's file. */
  readonly workload: string;
  readonly isReplay: boolean;
  /** What is not counted, before all else. */
  readonly warmUpMs: number;
  /** Without either, the workload says how long. */
  readonly durationMs: number | undefined;
  readonly switches: number | undefined;
  readonly seed: number;
  readonly decisionNs: number;
  readonly batchNs: number;
  readonly faults: readonly SimFault[];
}

/** readRequest checks what can be checked without the machine. @throws UserError (usage) that names the option */
export function readRequest({ config, numbers, workload, replay, faults }: SimInput): SimRequest {
  const read = (name: NumberOption): number | undefined => readNumber(name, numbers[name]);
  const cpus = read('cpus') ?? CPUS;
  const nodes = read('nodes') ?? Math.min(NODES, cpus);
  if (nodes > cpus) {
    throw new UserError(`--nodes: expected at most as many as CPUs (${cpus}), found ${nodes}`, EXIT.usage);
  }
  if (replay !== undefined && workload !== undefined) {
    const text = `expected --workload or --replay, not both`;
    throw new UserError(text, EXIT.usage);
  }
  const isRecorded = replay !== undefined && numbers.cpus === undefined && numbers.nodes === undefined;
  return {
    config,
    machine: isRecorded ? undefined : { cpus, nodes },
    workload: replay ?? workload ?? DEFAULT_WORKLOAD,
    isReplay: replay !== undefined,
    warmUpMs: read('warm-up-ms') ?? 0,
    durationMs: read('duration-ms'),
    switches: read('switches'),
    seed: read('seed') ?? 1,
    decisionNs: read('decision-ns') ?? DECISION_NS,
    batchNs: read('batch-ns') ?? BATCH_NS,
    faults: (faults ?? []).map(parseFault),
  };
}

function readNumber(name: NumberOption, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const { min, max, whole } = NUMBERS[name];
  const value = /^\d{1,15}(?:\.\d{1,9})?$/.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max && (!whole || Number.isInteger(value))) return value;
  const kind = whole ? 'a whole number' : 'a number';
  throw new UserError(
    harmless(`--${name}: expected ${kind} from ${min} to ${max}, found ${show(text)}`),
    EXIT.usage,
  );
}
