/**
 * Writes a recording while a scheduler runs: takes what the kernel side left in its ring buffers, now and then, on the
 * main thread. Nothing is taken while a write is under way, so what is in memory is one buffer; a disk that is too slow
 * costs records, which the kernel side counts.
 */
import { statSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT, UserError } from '../cli/errors.js';
import { harmless } from '../config/issues.js';
import { RECORD, RECORD_KIND } from '../shm/layout.generated.js';
import { encodeEnd, encodeHeader, type RecordingHeader } from './format.js';

const BUFFER_BYTES = 1 << 20;
const INTERVAL_MS = 20;

/** RecordSource is where records come from. */
export interface RecordSource {
  /** Records come from now on. @returns the time, by their clock */
  begin(): number;
  /** Takes records that fit whole. @returns bytes written */
  drain(target: Uint8Array): number;
  /** No more come; what is drained after this is the rest. */
  end(): RecordingEnd;
  /** Gives its memory back. */
  close(): void;
}

/** RecordingEnd is what a source knows at the end. */
export interface RecordingEnd {
  readonly atNs: number;
  readonly lost: number;
}

/** RecordingLimits end a recording by themselves. */
export interface RecordingLimits {
  readonly maxBytes: number;
  readonly durationMs?: number | undefined;
}

/** Why a recording ended. */
export type RecordingWhy = 'stopped' | 'duration' | 'size' | 'failed';

/** RecordingStatus is how far a recording is; `why` once it has ended, the file then being whole. */
export interface RecordingStatus {
  readonly records: number;
  readonly tasks: number;
  /** Known at the end. */
  readonly lost: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly why?: RecordingWhy;
  /** What went wrong when it failed. */
  readonly error?: string;
}

/** FileRecorder is one recording. */
export class FileRecorder {
  private readonly buffer = new Uint8Array(BUFFER_BYTES);
  private readonly ending = new AbortController();
  private readonly startedMs = performance.now();
  private endedMs: number | undefined;
  private records = 0;
  private tasks = 0;
  private lost = 0;
  private why: RecordingWhy | undefined;
  private error: string | undefined;
  private readonly done: Promise<void>;

  private constructor(
    private readonly source: RecordSource,
    private readonly file: FileHandle,
    private readonly path: string,
    private readonly limits: RecordingLimits,
    private position: number,
    private readonly firstPosition = position,
  ) {
    this.done = this.record();
  }

  /**
   * begin makes the file and has records come.
   *
   * @param path - absolute
   * @param force - put it in the place of a file that is there
   * @param headerOf - what is to stand in it, given the time by the records' clock
   * @throws UserError when the file cannot be made, or the system's own error
   */
  static async begin(
    source: RecordSource,
    path: string,
    force: boolean,
    limits: RecordingLimits,
    headerOf: (startNs: number) => RecordingHeader,
  ): Promise<FileRecorder> {
    const file = await create(path, force);
    let begun = false;
    try {
      const startNs = source.begin();
      begun = true;
      const header = encodeHeader(headerOf(startNs));
      await writeAll(file, header, 0);
      return new FileRecorder(source, file, path, limits, header.length);
    } catch (error) {
      if (begun) {
        source.end();
        source.close();
      }
      await file.close();
      throw isSystemError(error, 'write') ? refusal(path, error) : error;
    }
  }

  status(): RecordingStatus {
    const { records, tasks, lost, position, endedMs, startedMs, why, error } = this;
    return {
      records,
      tasks,
      lost,
      bytes: position,
      seconds: ((endedMs ?? performance.now()) - startedMs) / 1000,
      ...(endedMs === undefined || why === undefined ? {} : { why }),
      ...(error === undefined ? {} : { error }),
    };
  }

  /** stop ends it and resolves when the file is whole. */
  async stop(): Promise<RecordingStatus> {
    this.endBy('stopped');
    await this.done;
    return this.status();
  }

  private endBy(why: RecordingWhy): void {
    this.why ??= why;
    this.ending.abort();
  }

  private async record(): Promise<void> {
    const { limits, ending, source } = this;
    const timer = setTimeout(
      () => {
        this.endBy('duration');
      },
      limits.durationMs ?? 2 ** 31 - 1,
    );
    if (limits.durationMs === undefined) clearTimeout(timer);
    let end: RecordingEnd | undefined;
    try {
      while (!ending.signal.aborted) {
        await this.takeAll();
        await sleep(INTERVAL_MS, undefined, { signal: ending.signal }).catch(() => undefined);
      }
      end = source.end();
      if (this.why !== 'size') await this.takeAll();
    } catch (cause) {
      this.fail(cause);
    } finally {
      clearTimeout(timer);
      await this.finish(end);
    }
  }

  /** takeAll writes what there is. Beyond the largest size the recording is over. */
  private async takeAll(): Promise<void> {
    const { buffer, source, limits } = this;
    for (;;) {
      const taken = source.drain(buffer);
      const room = Math.max(0, limits.maxBytes - RECORD.bytes - this.position);
      const bytes = Math.min(taken, room - (room % RECORD.bytes));
      await writeAll(this.file, buffer.subarray(0, bytes), this.position);
      this.position += bytes;
      this.count(bytes);
      if (bytes < taken) {
        this.endBy('size');
        return;
      }
      // What is less than full was all there is.
      if (taken <= buffer.length - RECORD.bytes) return;
    }
  }

  private count(bytes: number): void {
    this.records += bytes / RECORD.bytes;
    for (let at = RECORD.byte.kind; at < bytes; at += RECORD.bytes) {
      const kind = this.buffer[at];
      if (kind === RECORD_KIND.TASK || kind === RECORD_KIND.FORK) this.tasks++;
    }
  }

  private fail(cause: unknown): void {
    this.error = isSystemError(cause) ? reason(cause) : String(cause);
    this.why = 'failed';
    // What the last record ends up in has room: it is there already.
    if (this.position === this.firstPosition) return;
    this.position -= RECORD.bytes;
    this.records--;
    this.lost++;
  }

  /** The file is whole after this, unless the disk refuses even that. Never rejects: nobody may be waiting. */
  private async finish(known: RecordingEnd | undefined): Promise<void> {
    try {
      const end = known ?? this.source.end();
      this.source.close();
      this.lost += end.lost;
      await writeAll(this.file, encodeEnd(end.atNs, this.lost), this.position);
      this.position += RECORD.bytes;
      await this.file.truncate(this.position);
      await this.file.close();
    } catch (cause) {
      this.why = 'failed';
      this.error ??= isSystemError(cause) ? reason(cause) : String(cause);
      this.error += `; ${this.path} is not whole`;
      await this.file.close().catch(() => undefined);
    } finally {
      this.endedMs = performance.now();
    }
  }
}

/** Even by force nothing but a file is written over: no disk, no pipe. */
async function create(path: string, force: boolean): Promise<FileHandle> {
  try {
    const isOther = force && statSync(path, { throwIfNoEntry: false })?.isFile() === false;
    if (!isOther) return await open(path, force ? 'w' : 'wx', 0o600);
  } catch (error) {
    throw isSystemError(error) ? refusal(path, error) : error;
  }
  throw new UserError(harmless(`${path}: is no regular file: give another name with -o`), EXIT.usage);
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, written, bytes.length - written, position + written);
    written += bytesWritten;
  }
}

const isSystemError = (error: unknown, syscall?: string): error is NodeJS.ErrnoException =>
  error instanceof Error &&
  !(error instanceof UserError) &&
  'code' in error &&
  (syscall === undefined || ('syscall' in error && error.syscall === syscall));

const REASONS: Readonly<Record<string, string>> = {
  EEXIST: 'is there already: give another name with -o, or --force to put the recording in its place',
  ENOENT: 'its folder does not exist',
  ENOTDIR: 'its folder does not exist',
  EISDIR: 'is a folder: give the name of a file with -o',
  EACCES: 'the user who runs nodeland may not write there: give another place with -o',
  EPERM: 'the user who runs nodeland may not write there: give another place with -o',
  EROFS: 'the file system there is read-only: give another place with -o',
  ENOSPC: 'no space is left on the disk: give a place on another one with -o',
  EDQUOT: 'the quota of disk space is used up: give a place on another disk with -o',
  EFBIG: 'the file system there has no room for so large a file: lower --max-size',
};

const reason = ({ code = '', message }: NodeJS.ErrnoException): string => REASONS[code] ?? message;

function refusal(path: string, error: NodeJS.ErrnoException): UserError {
  const isDenied = error.code === 'EACCES' || error.code === 'EPERM';
  return new UserError(harmless(`${path}: ${reason(error)}`), isDenied ? EXIT.privilege : EXIT.failure, {
    cause: error,
  });
}
