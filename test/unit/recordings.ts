/** Recordings made by hand. */
import { encodeEnd, encodeHeader, type RecordingHeader } from '../../src/record/format.js';
import { parseRecording, type Recording } from '../../src/record/read.js';
import { writeU64 } from '../../src/shm/arena.js';
import { RECORD, RECORD_DETAIL, RECORD_KIND } from '../../src/shm/layout.generated.js';

const US = 1000;
/** When recordings made here begin, by the records' clock. */
const START_NS = 5_000_000_000;

/** header describes a machine of CPUs in even nodes. */
export function header(cpus = 2, nodes = 1): RecordingHeader {
  return {
    nodeland: '0.1.0',
    kernel: '7.3.4',
    startedAt: '2026-01-01T00:00:00.000Z',
    startNs: START_NS,
    machine: {
      cpus: Array.from({ length: cpus }, (_, cpu) => {
        const node = Math.floor((cpu * nodes) / cpus);
        return { cpu, node, llc: node, core: cpu, packageId: node, capacity: 1024 };
      }),
      nodes: Array.from({ length: nodes }, (_, node) => ({
        node,
        distances: Array.from({ length: nodes }, (_, other) => (other === node ? 10 : 20)),
      })),
    },
    domains: [{ name: 'all', cpus: Array.from({ length: cpus }, (_, cpu) => cpu), policy: 'vtime' }],
  };
}

/** Given is one record; times are microseconds, `atUs` from the recording's beginning. */
export interface Given {
  readonly kind: keyof typeof RECORD_KIND;
  readonly atUs: number;
  readonly pid: number;
  readonly cpu?: number;
  readonly detail?: number;
  readonly other?: number;
  readonly weight?: number;
  readonly ranUs?: number;
  readonly comm?: string;
  readonly bits?: bigint;
}

/** recordBytes is one record as the kernel side writes it. */
export function recordBytes(given: Given): Uint8Array {
  const { kind, atUs, pid, cpu = 0, detail = 0, other = 0, weight = 0, ranUs = 0, comm, bits } = given;
  const words = new Uint32Array(RECORD.words);
  const bytes = Buffer.from(words.buffer);
  writeU64(words, RECORD.word.atNs, START_NS + atUs * US);
  words[RECORD.word.pid] = pid;
  bytes.writeUInt16LE(cpu, RECORD.byte.cpu);
  bytes[RECORD.byte.kind] = RECORD_KIND[kind];
  bytes[RECORD.byte.detail] = detail;
  words[RECORD.word.other] = other;
  words[RECORD.word.weight] = weight;
  writeU64(words, RECORD.word.ranNs, ranUs * US);
  if (bits !== undefined) bytes.writeBigUInt64LE(bits, RECORD.byte.ranNs);
  if (comm !== undefined) bytes.fill(0, RECORD.byte.other).write(comm, RECORD.byte.other);
  return bytes;
}

/** recordingBytes is a whole file. */
export function recordingBytes(
  records: readonly Given[],
  { lost = 0, endUs = 1_000_000, head = header() } = {},
): Buffer {
  const end = encodeEnd(START_NS + endUs * US, lost);
  return Buffer.concat([encodeHeader(head), ...records.map(recordBytes), end]);
}

export function recordingOf(records: readonly Given[], head = header()): Recording {
  return parseRecording(recordingBytes(records, { head }), 'test.rec');
}

/** task introduces one that sleeps; with `runnable` one that wants a CPU. */
export function task(pid: number, comm: string, atUs = 0, more: Partial<Given> = {}): Given[] {
  return [
    { kind: 'TASK', atUs, pid, weight: 100, ...more },
    { kind: 'COMM', atUs, pid, comm },
  ];
}
export const RUNNABLE = { detail: RECORD_DETAIL.RUNNABLE };
