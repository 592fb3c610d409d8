/** A recording's file: what is written is read, and what is damaged is refused with what is wrong. */
import fc from 'fast-check';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { EXIT, UserError } from '../../src/cli/errors.js';
import { FileRecorder, type RecordSource } from '../../src/record/recorder.js';
import { parseRecording, readRecording } from '../../src/record/read.js';
import { recordMachine, topologyOf } from '../../src/record/machine.js';
import { RECORD, RECORD_KIND } from '../../src/shm/layout.generated.js';
import { makeMachine } from '../../src/sim/machine.js';
import { type Given, header, recordBytes, recordingBytes } from './recordings.js';

const folder = mkdtempSync(join(tmpdir(), 'nodeland-record-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});
let files = 0;
const newFile = (): string => join(folder, `${++files}.rec`);

const KINDS = (Object.keys(RECORD_KIND) as (keyof typeof RECORD_KIND)[]).filter(
  (kind) => kind !== 'NONE' && kind !== 'END',
);
const anyRecord: fc.Arbitrary<Given> = fc.record({
  kind: fc.constantFrom(...KINDS),
  atUs: fc.nat(10_000_000),
  pid: fc.nat(4_000_000),
  cpu: fc.nat(1023),
  detail: fc.nat(255),
  other: fc.nat(4_000_000),
  weight: fc.nat(10_000),
  ranUs: fc.nat(10_000_000),
});

/** A source that has these records, so many at a time. */
class GivenSource implements RecordSource {
  isOpen = false;
  private left: Buffer;
  constructor(
    records: readonly Given[],
    private readonly atOnce: number,
    private readonly lost = 0,
  ) {
    this.left = Buffer.concat(records.map(recordBytes));
  }
  begin(): number {
    this.isOpen = true;
    return 5_000_000_000;
  }
  drain(target: Uint8Array): number {
    const bytes = Math.min(this.left.length, target.length, this.atOnce * RECORD.bytes);
    target.set(this.left.subarray(0, bytes));
    this.left = this.left.subarray(bytes);
    return bytes;
  }
  end(): { atNs: number; lost: number } {
    return { atNs: 6_000_000_000, lost: this.lost };
  }
  close(): void {
    this.isOpen = false;
  }
}

const record = (
  source: RecordSource,
  file: string,
  more: Partial<{ force: boolean; maxBytes: number }> = {},
) =>
  FileRecorder.begin(
    source,
    file,
    more.force ?? false,
    { maxBytes: more.maxBytes ?? 1 << 26 },
    (startNs) => ({
      ...header(),
      startNs,
    }),
  );

const refusalOf = (bytes: Buffer): string => {
  try {
    parseRecording(bytes, 'it.rec');
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).exitCode).toBe(EXIT.config);
    return (error as UserError).message;
  }
  return 'accepted';
};

describe('a recording', () => {
  test('is read as it was written, whatever it holds', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyRecord, { maxLength: 60 }),
        fc.nat(9),
        fc.nat(1000),
        async (records, less, lost) => {
          const file = newFile();
          const source = new GivenSource(records, less + 1, lost);
          const recorder = await record(source, file);
          const status = await recorder.stop();
          // What had not been drained when it was stopped is not all there is, unless it is drained by then.
          expect(status).toMatchObject({ why: 'stopped', lost });
          expect(source.isOpen).toBe(false);
          const read = readRecording(file);
          expect(read.header).toEqual(header());
          expect(read).toMatchObject({ count: status.records, lost, endNs: 6_000_000_000 });
          const wanted = Buffer.concat(records.slice(0, read.count).map(recordBytes));
          expect(Buffer.from(read.words.buffer, read.words.byteOffset, read.words.byteLength)).toEqual(
            wanted,
          );
          expect(status.bytes).toBe(statSync(file).size);
        },
      ),
      { numRuns: 30 },
    );
  });

  test('has everything that a source still had when it ended', async () => {
    const records = Array.from({ length: 40_000 }, (_, pid): Given => ({ kind: 'RAN', atUs: pid, pid }));
    const file = newFile();
    const recorder = await record(new GivenSource(records, 1 << 20), file);
    expect(await recorder.stop()).toMatchObject({ records: 40_000, lost: 0 });
    expect(readRecording(file).count).toBe(40_000);
  });

  test('ends by itself before it is larger than it may be, and is whole', async () => {
    const records = Array.from({ length: 1000 }, (_, pid): Given => ({ kind: 'TASK', atUs: pid, pid }));
    const file = newFile();
    const recorder = await record(new GivenSource(records, 1000), file, { maxBytes: 10_000 });
    await expect.poll(() => recorder.status().why).toBe('size');
    expect(statSync(file).size).toBeLessThanOrEqual(10_000);
    expect(statSync(file).size).toBeGreaterThan(10_000 - 2 * RECORD.bytes);
    expect(recorder.status().tasks).toBe(readRecording(file).count);
  });

  test('ends after its duration', async () => {
    const limits = { maxBytes: 1 << 20, durationMs: 30 };
    const recorder = await FileRecorder.begin(new GivenSource([], 1), newFile(), false, limits, () =>
      header(),
    );
    await expect.poll(() => recorder.status().why).toBe('duration');
    expect(recorder.status().seconds).toBeGreaterThan(0.029);
  });

  test('that a full disk cuts short is whole all the same, and says why', async () => {
    const file = newFile();
    const records = Array.from({ length: 10 }, (_, pid): Given => ({ kind: 'RAN', atUs: pid, pid }));
    const source = new GivenSource(records, 10);
    let drained = 0;
    const full: RecordSource = {
      begin: () => source.begin(),
      end: () => source.end(),
      close: () => {
        source.close();
      },
      drain: (target) => {
        if (++drained > 1) throw Object.assign(new Error('write'), { code: 'ENOSPC', syscall: 'write' });
        return source.drain(target);
      },
    };
    const recorder = await record(full, file);
    await expect.poll(() => recorder.status().why).toBe('failed');
    expect(recorder.status().error).toContain('no space is left on the disk');
    expect(source.isOpen).toBe(false);
    // The last record made room for the one that ends the file.
    expect(readRecording(file)).toMatchObject({ count: 9, lost: 1 });
  });

  test('does not take the place of a file unless it is forced to, and never of what is no file', async () => {
    const file = newFile();
    writeFileSync(file, 'mine');
    const source = new GivenSource([], 1);
    await expect(record(source, file)).rejects.toThrow(`${file}: is there already`);
    expect(readFileSync(file, 'utf8')).toBe('mine');
    const recorder = await record(source, file, { force: true });
    await recorder.stop();
    expect(readRecording(file).count).toBe(0);
    const other = newFile();
    mkdirSync(other);
    await expect(record(source, other, { force: true })).rejects.toThrow('is no regular file');
    await expect(record(source, join(folder, 'none', 'it'))).rejects.toThrow('its folder does not exist');
    expect(source.isOpen).toBe(false);
    expect(existsSync(join(folder, 'none'))).toBe(false);
  });
});

describe('a file that is damaged', () => {
  const whole = recordingBytes([{ kind: 'TASK', atUs: 1, pid: 7 }]);
  const changed = (at: number, value: number): Buffer => {
    const bytes = Buffer.from(whole);
    bytes[at] = value;
    return bytes;
  };

  test('is refused with what was expected and what to do', () => {
    expect(refusalOf(whole)).toBe('accepted');
    expect(refusalOf(Buffer.alloc(0))).toBe('it.rec: is empty');
    expect(refusalOf(Buffer.from('#!/bin/sh\nexit 0\n'))).toContain('is not a recording of nodeland');
    expect(refusalOf(changed(8, 2))).toBe(
      'it.rec: has format version 2, this nodeland reads version 1: replay it with the nodeland that recorded it',
    );
    expect(refusalOf(changed(12, 3))).toContain('byte 12: the header');
    expect(refusalOf(changed(16, 0x7d))).toContain('byte 16: expected a header of JSON');
    expect(refusalOf(whole.subarray(0, -1))).toMatch(/^it\.rec: is cut off after \d+ bytes: .* record anew$/);
    expect(refusalOf(whole.subarray(0, -RECORD.bytes))).toContain('the record that ends it is missing');
    expect(refusalOf(changed(whole.length - 2 * RECORD.bytes + RECORD.byte.kind, 99))).toMatch(
      /^it\.rec: byte \d+: expected a record, found kind 99/,
    );
  });

  test('never gives anything but a recording or such a refusal', () => {
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length), (at, value, length) => {
        const bytes = changed(at, value).subarray(0, length);
        expect(refusalOf(bytes)).toMatch(/^accepted$|^it\.rec: /);
      }),
      { numRuns: 500 },
    );
  });

  test('that is not there is named', () => {
    expect(() => readRecording('/no/such/file')).toThrow('/no/such/file: no such file');
    expect(() => readRecording('/')).toThrow('/: is a folder');
  });
});

test('a machine comes back from a recording as it was', () => {
  const machine = makeMachine({ cpus: 12, nodes: 6 });
  expect(topologyOf(recordMachine(machine))).toEqual(machine);
});
