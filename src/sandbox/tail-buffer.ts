/** TailBuffer keeps the last bytes of a stream, at most about `limitBytes`. */
export class TailBuffer {
  readonly #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(readonly limitBytes: number) {}

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    const firstKept = this.#chunks.findIndex((first) => {
      if (this.#bytes - first.length < this.limitBytes) return true;
      this.#bytes -= first.length;
      return false;
    });
    this.#chunks.splice(0, firstKept);
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString();
  }
}
