import { Transform, type TransformCallback } from 'node:stream';

/**
 * EndMark passes a stream on up to a mark, and says when the mark was there. Bytes are held back only while they may be
 * the beginning of the mark, which starts with a NUL; text is therefore never delayed. What follows the mark is dropped.
 */
export class EndMark extends Transform {
  readonly #mark: Buffer;
  readonly #onMark: () => void;
  #held = Buffer.alloc(0);
  #seen = false;

  constructor(mark: string, onMark: () => void) {
    super();
    this.#mark = Buffer.from(`\0${mark}`);
    this.#onMark = onMark;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    if (this.#seen) {
      done();
      return;
    }
    const data = Buffer.concat([this.#held, chunk]);
    const at = data.indexOf(this.#mark);
    this.#seen = at >= 0;
    const end = this.#seen ? at : data.length - this.#possibleBeginning(data);
    this.#held = data.subarray(end);
    if (end > 0) this.push(data.subarray(0, end));
    done();
    if (this.#seen) this.#onMark();
  }

  override _flush(done: TransformCallback): void {
    if (!this.#seen) this.push(this.#held);
    done();
  }

  /** How many bytes at the end of `data` are a beginning of the mark. */
  #possibleBeginning(data: Buffer): number {
    for (let length = Math.min(data.length, this.#mark.length - 1); length > 0; length--) {
      if (data.subarray(data.length - length).equals(this.#mark.subarray(0, length))) return length;
    }
    return 0;
  }
}
