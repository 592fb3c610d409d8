import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cpioArchive } from '../../src/sandbox/cpio.js';
import { EndMark } from '../../src/sandbox/end-mark.js';
import { TailBuffer } from '../../src/sandbox/tail-buffer.js';

describe('an end mark', () => {
  async function run(chunks: Buffer[]): Promise<{ text: Buffer; marks: number }> {
    let marks = 0;
    const stream = new EndMark('mark', () => marks++);
    const collected = stream.toArray();
    chunks.forEach((chunk) => stream.write(chunk));
    stream.end();
    return { text: Buffer.concat(await collected), marks };
  }

  it('is found and removed wherever the stream is cut, and all before it passes', async () => {
    const bytes = fc
      .array(fc.constantFrom('\0', 'm', 'a', 'r', 'k', '\n'), { maxLength: 30 })
      .map((letters) => letters.join(''));
    const cuts = fc.array(fc.nat(40), { maxLength: 8 });
    const property = fc.asyncProperty(bytes, cuts, async (text, at) => {
      fc.pre(!text.includes('\0mark') && !`${text}\0mark`.slice(0, -1).includes('\0mark'));
      const whole = Buffer.from(`${text}\0mark`);
      const ends = [...at.map((cut) => Math.min(cut, whole.length)), whole.length].sort((a, b) => a - b);
      const chunks = ends.map((end, i) => whole.subarray(ends[i - 1] ?? 0, end));
      expect(await run(chunks)).toEqual({ text: Buffer.from(text), marks: 1 });
    });
    await fc.assert(property);
  });

  it('that never comes costs no bytes', async () => {
    expect(await run([Buffer.from('a\0mar')])).toEqual({ text: Buffer.from('a\0mar'), marks: 0 });
  });

  it('does not hold text back', () => {
    const stream = new EndMark('mark', () => undefined);
    stream.write('progress 50 %');
    expect(String(stream.read())).toBe('progress 50 %');
  });
});

describe('a tail buffer', () => {
  it('keeps at least the last bytes it promises and drops what is older', () => {
    const tail = new TailBuffer(10);
    for (let i = 0; i < 100; i++) tail.push(Buffer.from(`${String(i).padStart(3, '0')}\n`));
    expect(tail.text()).toBe('097\n098\n099\n');
  });
});

describe('a cpio archive', () => {
  const entries = [
    { type: 'folder', path: 'a' },
    { type: 'file', path: 'a/odd', content: 'odd', mode: 0o755 },
    { type: 'link', path: 'a/link', target: 'odd' },
  ] as const;

  it('is the same bytes for the same entries and can be concatenated', () => {
    const archive = cpioArchive(entries);
    expect(archive.equals(cpioArchive(entries))).toBe(true);
    expect(archive.length % 512).toBe(0);
  });

  it('is read by cpio', (context) => {
    let listing: string;
    try {
      listing = execFileSync('cpio', ['-itv', '--quiet'], { input: cpioArchive(entries), encoding: 'utf8' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return context.skip('cpio is not installed');
      throw error;
    }
    expect(listing).toMatch(/^drwxr-xr-x +2 root +root +0 .* a$/m);
    expect(listing).toMatch(/^-rwxr-xr-x +1 root +root +3 .* a\/odd$/m);
    expect(listing).toMatch(/^lrwxrwxrwx .* a\/link -> odd$/m);
  });
});
