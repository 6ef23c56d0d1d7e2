import type { Socket } from 'node:net';
import type { Lifetime } from '../../kernel/index.ts';
import type { EmulatedSocket } from './emulated-socket.ts';

/** Takes a client's bytes slowly, or not at all: what it sends piles up on its side. */
export class SlowReads {
  readonly #tcp: Socket;
  readonly #socket: EmulatedSocket;
  readonly #scope: Lifetime;
  /** Reasons there are at this moment not to read. */
  #stalls = 0;
  #bytesPerSecond = Number.POSITIVE_INFINITY;

  constructor(tcp: Socket, socket: EmulatedSocket, scope: Lifetime) {
    this.#tcp = tcp;
    this.#socket = socket;
    this.#scope = scope;
  }

  /** Stops reading, for ever or for `ms`. */
  stall(ms: number | undefined): void {
    if (this.#scope.isClosing) return;
    this.#stalls += 1;
    this.#socket.pause();
    if (ms === undefined) return;
    this.#scope.timer('stalled reads', ms, () => {
      this.#stalls -= 1;
      if (this.#stalls === 0) this.#socket.resume();
    });
  }

  /** Reads what comes, and rests after each piece for as long as it should have taken. */
  slowTo(bytesPerSecond: number): void {
    if (this.#bytesPerSecond === Number.POSITIVE_INFINITY) {
      this.#tcp.on('data', (bytes: Buffer) => this.stall((bytes.byteLength * 1_000) / this.#bytesPerSecond));
    }
    this.#bytesPerSecond = bytesPerSecond;
  }
}
