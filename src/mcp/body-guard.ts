const NEWLINE = 10;
const CARRIAGE_RETURN = 13;

/**
 * Looks whether a body stays within its bound: as a whole, or, where it is a stream of events that may go on for ever,
 * from one blank line to the next.
 */
export class BodyGuard {
  readonly #maxBytes: number;
  readonly #isEventStream: boolean;
  #bytes = 0;
  #last = NEWLINE;

  constructor(maxBytes: number, isEventStream: boolean) {
    this.#maxBytes = maxBytes;
    this.#isEventStream = isEventStream;
  }

  /** Takes the next piece; false when it is too much. */
  take(chunk: Uint8Array): boolean {
    if (!this.#isEventStream) {
      this.#bytes += chunk.length;
      return this.#bytes <= this.#maxBytes;
    }
    for (const byte of chunk) {
      const isEnd = byte === NEWLINE || byte === CARRIAGE_RETURN;
      const isSameEnd = byte === NEWLINE && this.#last === CARRIAGE_RETURN;
      if (isSameEnd) {
        this.#last = NEWLINE;
        continue;
      }
      const isBlank = isEnd && (this.#last === NEWLINE || this.#last === CARRIAGE_RETURN);
      this.#bytes = isBlank ? 0 : this.#bytes + 1;
      if (this.#bytes > this.#maxBytes) return false;
      this.#last = byte;
    }
    return true;
  }
}
