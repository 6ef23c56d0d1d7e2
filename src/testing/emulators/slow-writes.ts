import type { Socket } from 'node:net';
import type { Lifetime } from '../../kernel/index.ts';

/** How often a portion leaves; a rate below one byte a portion makes it rarer. */
const PORTION_EVERY_MS = 20;

interface Chunk {
  readonly bytes: Buffer;
  readonly written: ((error?: Error | null) => void) | undefined;
}

type Written = Chunk['written'];

/**
 * Lets what is written to a TCP socket drip, whoever writes it: messages, pings and close frames alike.
 *
 * It takes the place of the socket's own `write` and `end`. A layer between the WebSocket and its socket could do the
 * same, and would be paid for by every connection that has no such fault.
 */
export class SlowWrites {
  readonly #tcp: Socket;
  readonly #scope: Lifetime;
  readonly #write: (bytes: Buffer, written: Written) => boolean;
  readonly #end: () => Socket;
  readonly #portionBytes: number;
  readonly #portionEveryMs: number;
  readonly #queue: Chunk[] = [];
  #queuedBytes = 0;
  #ending = false;

  constructor(tcp: Socket, scope: Lifetime, bytesPerSecond: number) {
    this.#tcp = tcp;
    this.#scope = scope;
    this.#portionEveryMs = Math.max(PORTION_EVERY_MS, 1_000 / bytesPerSecond);
    this.#portionBytes = Math.max(1, Math.round((bytesPerSecond * this.#portionEveryMs) / 1_000));
    const write = tcp.write.bind(tcp) as (bytes: Buffer, written: Written) => boolean;
    const end = tcp.end.bind(tcp);
    this.#write = write;
    this.#end = () => end();
    tcp.write = (data: Buffer | string, encoding?: BufferEncoding | Written, written?: Written): boolean => {
      const done = typeof encoding === 'function' ? encoding : written;
      this.#take(typeof data === 'string' ? Buffer.from(data) : data, done);
      return true;
    };
    tcp.end = (): Socket => {
      this.#ending = true;
      if (this.#queue.length === 0) this.#end();
      return tcp;
    };
  }

  /** Bytes that wait for their turn. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  #take(bytes: Buffer, written: Written): void {
    const idle = this.#queue.length === 0;
    this.#queue.push({ bytes, written });
    this.#queuedBytes += bytes.byteLength;
    if (idle) this.#arm();
  }

  #arm(): void {
    if (this.#scope.isClosing) return;
    this.#scope.timer('slow write', this.#portionEveryMs, () => this.#writePortion());
  }

  #writePortion(): void {
    if (this.#tcp.destroyed) return;
    let left = this.#portionBytes;
    while (left > 0) {
      const [first] = this.#queue;
      if (first === undefined) break;
      const portion = first.bytes.subarray(0, left);
      left -= portion.byteLength;
      this.#queuedBytes -= portion.byteLength;
      if (portion.byteLength === first.bytes.byteLength) {
        this.#queue.shift();
        this.#write(portion, first.written);
      } else {
        this.#queue[0] = { ...first, bytes: first.bytes.subarray(portion.byteLength) };
        this.#write(portion, undefined);
      }
    }
    if (this.#queue.length > 0) this.#arm();
    else if (this.#ending) this.#end();
  }
}
