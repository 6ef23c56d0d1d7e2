import type {
  DialOptions,
  Lifetime,
  MessageSocket,
  Transport,
  VirtualClock,
} from '../../src/kernel/index.ts';
import { MemoryTransport } from '../../src/testing/memory-transport.ts';
import type { MemoryDial, MemoryPeer } from '../../src/testing/memory-transport.ts';

export type Json = Readonly<Record<string, unknown>>;

export interface ProviderOptions {
  readonly clock: VirtualClock;
  /** Whether the upgrade and the setup are answered; otherwise the scene does it, or nobody. Default true. */
  readonly accepts?: boolean;
  /** Whether a close frame is answered. Default true; false is a half-open peer. */
  readonly answersClose?: boolean;
  /** Called with every message after the setup. */
  heard?(message: Json, provider: Provider): void;
}

/** The model's side of simulated sockets: as much of the Gemini protocol as an end needs, played by hand. */
export class Provider implements Transport {
  /** Messages after the setup, oldest first. */
  readonly heard: Json[] = [];
  /** How the latest connection ended, as it was seen here. */
  ended: { readonly code: number; readonly reason: string } | undefined;
  /** Whether the network takes nothing more. */
  isFull = false;
  readonly #options: ProviderOptions;
  readonly #net: MemoryTransport;
  #dial: MemoryDial | undefined;
  #peer: MemoryPeer | undefined;

  constructor(options: ProviderOptions) {
    this.#options = options;
    this.#net = new MemoryTransport({
      clock: options.clock,
      serve: (dial) => {
        this.#dial = dial;
        if (options.accepts !== false) this.accept();
      },
    });
  }

  get dials(): number {
    return this.#net.dials;
  }

  get openSockets(): number {
    return this.#net.openSockets;
  }

  async dial(url: string, options: DialOptions, scope: Lifetime): Promise<MessageSocket> {
    const socket = await this.#net.dial(url, options, scope);
    const isFull = (): boolean => this.isFull;
    return {
      get bufferedBytes() {
        return isFull() ? Infinity : socket.bufferedBytes;
      },
      get flushedBytes() {
        return socket.flushedBytes;
      },
      send: (data) => socket.send(data),
      ping: () => socket.ping(),
      close: (code, reason) => socket.close(code, reason),
      destroy: () => socket.destroy(),
    };
  }

  /** Answers the upgrade, and the setup when it comes, unless it is told to leave that unanswered. */
  accept({ setup = true }: { readonly setup?: boolean } = {}): void {
    this.#peer = this.#dial?.accept({
      answersClose: this.#options.answersClose ?? true,
      message: (data) => {
        const message = JSON.parse(String(data)) as Json;
        if (message['setup'] === undefined) {
          this.heard.push(message);
          this.#options.heard?.(message, this);
        } else if (setup) this.say({ setupComplete: {} });
      },
      closed: (code, reason) => {
        this.ended = { code, reason };
      },
    });
  }

  refuse(httpStatus?: number): void {
    this.#dial?.refuse(httpStatus === undefined ? {} : { httpStatus });
  }

  say(...messages: readonly Json[]): void {
    for (const message of messages) this.#peer?.send(JSON.stringify(message));
  }

  close(code: number, reason = ''): void {
    this.#peer?.close(code, reason);
  }

  /** The connection goes without a word. */
  vanish(): void {
    this.#peer?.destroy();
  }
}
