/**
 * The file of a recording. Numbers are little-endian.
 *
 *     0   8  "NLRECORD"
 *     8   4  version of the format
 *    12   4  bytes of the text that follows, padded with spaces to a multiple of 32 from the file's beginning
 *    16      the text: JSON, {@link RecordingHeader}
 *            records of 32 bytes, struct nl_record in bpf/abi.h: those of one domain in the order of their times, mostly
 *            the last of them is NL_RECORD_END, with how many were lost; without it the file was cut off
 */
import { z } from 'zod';
import { RECORD, RECORD_KIND } from '../shm/layout.generated.js';
import { writeU64 } from '../shm/arena.js';
import { MAX_CPUS } from '../topology/ids.js';

/** FORMAT_VERSION changes whenever an older reader would misunderstand a file. */
export const FORMAT_VERSION = 1;
export const MAGIC = Buffer.from('NLRECORD');
/** What comes before the text. */
export const PREFIX_BYTES = 16;

const number = z.int().min(0);
const cpu = number.max(MAX_CPUS - 1);

const machineSchema = z.strictObject({
  /** Those online. */
  cpus: z
    .array(
      z.strictObject({
        cpu,
        node: number,
        llc: number,
        core: number,
        packageId: z.int(),
        capacity: number,
      }),
    )
    .min(1)
    .max(MAX_CPUS),
  /** Distances to the nodes of this list, in its order. */
  nodes: z
    .array(z.strictObject({ node: number, distances: z.array(number) }))
    .min(1)
    .max(MAX_CPUS),
});

/** RecordedMachine is what a recording tells of the machine. */
export type RecordedMachine = Readonly<z.output<typeof machineSchema>>;

export const headerSchema = z.strictObject({
  nodeland: z.string(),
  /** `uname -r`. */
  kernel: z.string(),
  /** By the calendar, in ISO 8601. */
  startedAt: z.string(),
  /** The same by the records' clock. */
  startNs: number,
  machine: machineSchema,
  domains: z.array(z.strictObject({ name: z.string(), cpus: z.array(cpu), policy: z.string() })),
});

/** RecordingHeader is what stands before the records. */
export type RecordingHeader = Readonly<z.output<typeof headerSchema>>;

/** encodeHeader gives the bytes before the first record. */
export function encodeHeader(header: RecordingHeader): Buffer {
  const text = Buffer.from(JSON.stringify(header));
  const bytes = Buffer.alloc(Math.ceil((PREFIX_BYTES + text.length) / RECORD.bytes) * RECORD.bytes, ' ');
  MAGIC.copy(bytes);
  bytes.writeUInt32LE(FORMAT_VERSION, 8);
  bytes.writeUInt32LE(bytes.length - PREFIX_BYTES, 12);
  text.copy(bytes, PREFIX_BYTES);
  return bytes;
}

/** encodeEnd gives the last record. */
export function encodeEnd(atNs: number, lost: number): Uint8Array {
  const words = new Uint32Array(RECORD.words);
  writeU64(words, RECORD.word.atNs, atNs);
  writeU64(words, RECORD.word.ranNs, lost);
  const bytes = new Uint8Array(words.buffer);
  bytes[RECORD.byte.kind] = RECORD_KIND.END;
  return bytes;
}
