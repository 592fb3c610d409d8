/** Bytes to lines, as they come. */

const NEWLINE = 0x0a;

/** Lines gathers what comes until a line is whole. */
export class Lines {
  private parts: Buffer[] = [];
  private length = 0;

  constructor(private readonly mostBytes: number) {}

  /** add gives the lines that are whole now, without their ends; undefined when one is longer than it may be. */
  add(chunk: Buffer): Buffer[] | undefined {
    const lines: Buffer[] = [];
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      if (!this.keep(chunk.subarray(from, end))) return undefined;
      lines.push(Buffer.concat(this.parts));
      this.parts = [];
      this.length = 0;
      from = end + 1;
    }
    return this.keep(chunk.subarray(from)) ? lines : undefined;
  }

  private keep(part: Buffer): boolean {
    this.length += part.length;
    if (this.length > this.mostBytes) return false;
    if (part.length > 0) this.parts.push(part);
    return true;
  }
}
