/** Recordings that a running scheduler makes for those who ask on its control socket: one at a time. */
import { release } from 'node:os';
import { EXIT, UserError } from '../cli/errors.js';
import { packageVersion } from '../cli/package-info.js';
import { harmless } from '../config/issues.js';
import type { Request } from '../control/protocol.js';
import type { DomainPlan } from '../domain/plan.js';
import type { RecordingHeader } from '../record/format.js';
import { recordMachine } from '../record/machine.js';
import { FileRecorder, type RecordingStatus, type RecordSource } from '../record/recorder.js';
import type { Topology } from '../topology/topology.js';

type StartRequest = Extract<Request, { command: 'record-start' }>;

interface Current {
  readonly recorder: FileRecorder;
  readonly file: string;
  /** Of the connection that asked for it. */
  readonly gone: AbortSignal;
}

/** Recordings belong to the connection that asked, and end when it is closed. */
export class Recordings {
  private current: Current | undefined;
  private isStarting = false;
  private readonly closing = new AbortController();

  constructor(
    private readonly source: RecordSource,
    private readonly headerOf: (startNs: number) => RecordingHeader,
  ) {}

  /** start begins one. @throws UserError when one is under way, or its file cannot be made */
  async start(
    { file, force, maxBytes, durationMs }: StartRequest,
    gone: AbortSignal,
  ): Promise<RecordingStatus> {
    const { current } = this;
    if (this.closing.signal.aborted) throw new UserError('nodeland is ending', EXIT.unavailable);
    if (this.isStarting || (current !== undefined && current.recorder.status().why === undefined)) {
      const where = current === undefined ? '' : `, to ${current.file}`;
      throw new UserError(harmless(`another recording is under way${where}`), EXIT.failure);
    }
    if (file.includes('\0')) throw new UserError('no path has a zero byte in it', EXIT.usage);
    this.isStarting = true;
    try {
      const limits = { maxBytes, durationMs };
      const recorder = await FileRecorder.begin(this.source, file, force, limits, this.headerOf);
      this.current = { recorder, file, gone };
      const end = (): void => void recorder.stop();
      const over = AbortSignal.any([gone, this.closing.signal]);
      if (over.aborted) end();
      else over.addEventListener('abort', end, { once: true });
      return recorder.status();
    } finally {
      this.isStarting = false;
    }
  }

  status(gone: AbortSignal): RecordingStatus {
    return this.of(gone).recorder.status();
  }

  /** stop resolves when the file is whole. */
  stop(gone: AbortSignal): Promise<RecordingStatus> {
    return this.of(gone).recorder.stop();
  }

  /** close ends what is under way: the scheduler does. */
  async close(): Promise<void> {
    this.closing.abort();
    await this.current?.recorder.stop();
  }

  private of(gone: AbortSignal): Current {
    if (this.current?.gone === gone) return this.current;
    throw new UserError('this connection has no recording', EXIT.usage);
  }
}

/** recordingHeader gives what stands in a recording of this machine. @param policies - of each domain, now */
export function recordingHeader(
  topology: Topology,
  { domains }: DomainPlan,
  policies: readonly string[],
  startNs: number,
): RecordingHeader {
  return {
    nodeland: packageVersion(),
    kernel: release(),
    startedAt: new Date().toISOString(),
    startNs,
    machine: recordMachine(topology),
    domains: domains.map(({ name, cpus }, id) => ({ name, cpus: [...cpus], policy: policies[id] })),
  };
}
