const NEWLINE = 10;

/** Makes lines of bytes as they come, and never holds more than `maxBytes` of one. */
export class BoundedLines {
  readonly #maxBytes: number;
  readonly #line: (text: string) => void;
  readonly #overflow: () => void;
  #pieces: Buffer[] = [];
  #bytes = 0;
  #isOver = false;

  /** `overflow` is called once, when a line is larger than may be; nothing is read any more after it. */
  constructor(maxBytes: number, line: (text: string) => void, overflow: () => void) {
    this.#maxBytes = maxBytes;
    this.#line = line;
    this.#overflow = overflow;
  }

  push(chunk: Buffer): void {
    let start = 0;
    while (!this.#isOver) {
      const end = chunk.indexOf(NEWLINE, start);
      const piece = chunk.subarray(start, end < 0 ? chunk.length : end);
      this.#bytes += piece.length;
      if (this.#bytes > this.#maxBytes) {
        this.#isOver = true;
        this.#pieces = [];
        this.#overflow();
        return;
      }
      if (piece.length > 0) this.#pieces.push(piece);
      if (end < 0) return;
      const text = Buffer.concat(this.#pieces).toString('utf8');
      this.#pieces = [];
      this.#bytes = 0;
      start = end + 1;
      this.#line(text);
    }
  }
}
