/** Reads a recording, and says what is wrong with a file that is none, or not whole. */
import { readFileSync } from 'node:fs';
import { EXIT, UserError } from '../cli/errors.js';
import { harmless } from '../config/issues.js';
import { readU64 } from '../shm/arena.js';
import { RECORD, RECORD_KIND } from '../shm/layout.generated.js';
import { FORMAT_VERSION, headerSchema, MAGIC, PREFIX_BYTES, type RecordingHeader } from './format.js';

/** Recording is a file's content. */
export interface Recording {
  readonly header: RecordingHeader;
  /** Its records, RECORD.words each, without the last. */
  readonly words: Uint32Array;
  readonly count: number;
  /** When it ended, by the records' clock. */
  readonly endNs: number;
  /** Records that found no room while it was made. */
  readonly lost: number;
}

/** readRecording reads a file. @throws UserError (configuration) that names the file, what was expected and what was found */
export function readRecording(path: string): Recording {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    const why = REASONS[code] ?? code;
    throw new UserError(harmless(`${path}: ${why}`), EXIT.config, { cause });
  }
  return parseRecording(bytes, path);
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file; `nodeland record` makes one',
  EACCES: 'this user may not read it; a recording is for the user who runs nodeland',
  EISDIR: 'is a folder, not a recording',
  ERR_FS_FILE_TOO_LARGE: 'is too large to be read at once; record less at a time (--max-size, --duration)',
};

/** parseRecording is the same for bytes at hand. @param name - the file's, for errors */
export function parseRecording(bytes: Buffer, name: string): Recording {
  const refuse = (text: string): UserError => new UserError(harmless(`${name}: ${text}`), EXIT.config);
  if (bytes.length < PREFIX_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw refuse(
      bytes.length === 0 ? 'is empty' : 'is not a recording of nodeland (it does not begin with NLRECORD)',
    );
  }
  const version = bytes.readUInt32LE(8);
  if (version !== FORMAT_VERSION) {
    throw refuse(
      `has format version ${version}, this nodeland reads version ${FORMAT_VERSION}: replay it with the nodeland that recorded it`,
    );
  }
  const begin = PREFIX_BYTES + bytes.readUInt32LE(12);
  if (begin % RECORD.bytes !== 0) throw refuse(`byte 12: the header's length is damaged`);
  if (begin > bytes.length) throw cutOff(name, bytes.length, `the header alone has ${begin}`);
  const header = parseHeader(bytes.toString('utf8', PREFIX_BYTES, begin), refuse);

  const length = bytes.length - begin;
  const count = Math.floor(length / RECORD.bytes);
  // Whole records may be anywhere in memory; a copy is aligned.
  const words = new Uint32Array(new Uint8Array(bytes.subarray(begin, begin + count * RECORD.bytes)).buffer);
  const last = (count - 1) * RECORD.words;
  if (length % RECORD.bytes !== 0 || count === 0 || kindAt(words, last) !== RECORD_KIND.END) {
    throw cutOff(name, bytes.length, 'the record that ends it is missing');
  }
  for (let at = 0; at < last; at += RECORD.words) {
    const kind = kindAt(words, at);
    if (kind > RECORD_KIND.NONE && kind < RECORD_KIND.END) continue;
    throw refuse(
      `byte ${begin + at * 4}: expected a record, found kind ${kind}: the file is damaged, record anew`,
    );
  }
  return {
    header,
    words: words.subarray(0, last),
    count: count - 1,
    endNs: readU64(words, last + RECORD.word.atNs),
    lost: readU64(words, last + RECORD.word.ranNs),
  };
}

const cutOff = (name: string, length: number, text: string): UserError =>
  new UserError(
    harmless(
      `${name}: is cut off after ${length} bytes: ${text}. The scheduler was killed or the disk filled while it recorded; record anew`,
    ),
    EXIT.config,
  );

/** kindAt is the kind of the record that begins at a word. */
export function kindAt(words: Uint32Array, at: number): number {
  return (words[at + RECORD.word.cpu] >>> 16) & 0xff;
}

function parseHeader(text: string, refuse: (text: string) => UserError): RecordingHeader {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw refuse('byte 16: expected a header of JSON: the file is damaged, record anew');
  }
  const parsed = headerSchema.safeParse(value);
  if (!parsed.success) {
    const [{ path, message }] = parsed.error.issues;
    throw refuse(`header: ${path.map(String).join('.')}: ${message}: the file is damaged, record anew`);
  }
  const { machine } = parsed.data;
  const nodes = new Set(machine.nodes.map(({ node }) => node));
  const cpus = new Set(machine.cpus.map(({ cpu }) => cpu));
  if (cpus.size < machine.cpus.length || machine.cpus.some(({ node }) => !nodes.has(node)))
    throw refuse(
      'header: machine: a CPU twice or on a node that is not there: the file is damaged, record anew',
    );
  return parsed.data;
}
