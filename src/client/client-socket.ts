import { InvalidOptionError } from '../kernel/index.ts';
import type { Dial } from './credentials.ts';

/** The part of the standard WebSocket used here, so that neither Node's nor a browser's types are needed. */
export interface WebSocketLike {
  binaryType: string;
  readonly protocol: string;
  readonly readyState: number;
  readonly bufferedAmount: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
}

export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike;

/** What a socket tells its client. `closed` is called once, and nothing after it. */
export interface ClientSocketSink {
  opened(): void;
  message(data: string | Uint8Array): void;
  closed(code: number, reason: string, error: string | undefined): void;
}

/** `readyState` of an open WebSocket (WHATWG WebSockets, 3.1). */
const READY_STATE_OPEN = 1;

/** No status was received: what a WebSocket that never opened is closed with (RFC 6455 7.1.5). */
export const ABNORMAL_CLOSURE = 1006;

/** A WebSocket as the client uses it: it opens itself, says what comes, and can be let go of in two ways. */
export class ClientSocket {
  readonly #socket: WebSocketLike;
  #sink: ClientSocketSink | undefined;
  #error: string | undefined;
  readonly #ended = Promise.withResolvers<void>();

  /** @throws InvalidOptionError for a URL no WebSocket can be opened to. */
  constructor({ url, subprotocols, headers }: Dial, sink: ClientSocketSink, WebSocket: WebSocketConstructor) {
    this.#sink = sink;
    try {
      // Node's own takes headers in the place of the subprotocols, and only Node's is given any.
      const second = headers === undefined ? [...subprotocols] : { protocols: subprotocols, headers };
      this.#socket = new WebSocket(url, second as string[]);
    } catch (error) {
      throw new InvalidOptionError(`No WebSocket can be opened to '${url}': use an http(s) or ws(s) URL.`, {
        cause: error,
      });
    }
    this.#socket.binaryType = 'arraybuffer';
    this.#socket.onopen = () => this.#sink?.opened();
    this.#socket.onmessage = (event: { data: unknown }) => this.#receive(event.data);
    this.#socket.onerror = (event: { message?: unknown }) => {
      if (typeof event.message === 'string' && event.message !== '') this.#error = event.message;
    };
    this.#socket.onclose = (event: { code: number; reason: string }) => this.#end(event.code, event.reason);
  }

  /** The subprotocol the server chose; empty when it chose none. */
  get protocol(): string {
    return this.#socket.protocol;
  }

  /** Bytes handed to `send` that have not left yet. */
  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  send(data: string | Uint8Array<ArrayBuffer>): boolean {
    if (this.#socket.readyState !== READY_STATE_OPEN) return false;
    this.#socket.send(data);
    return true;
  }

  /** Says goodbye; the promise resolves when the peer has answered. */
  goodbye(code: number, reason: string): Promise<void> {
    this.#socket.close(code, reason);
    return this.#ended.promise;
  }

  /** Gives the connection up for another one, and says so if it still can. Nothing more is heard of it. */
  giveUp(code: number, reason: string): void {
    this.#sink = undefined;
    this.#letGo(code, reason);
    this.#ended.resolve();
  }

  /** Stops listening. A WebSocket cannot be destroyed from outside; the close it was told goes on without us. */
  forsake(): void {
    this.#letGo();
    this.#end(ABNORMAL_CLOSURE, '');
  }

  #letGo(code?: number, reason?: string): void {
    const socket = this.#socket;
    socket.onopen = socket.onmessage = socket.onclose = null;
    // An error that nobody handles ends a Node process in some implementations.
    socket.onerror = () => undefined;
    socket.close(code, reason);
  }

  #receive(data: unknown): void {
    if (typeof data === 'string') this.#sink?.message(data);
    else if (data instanceof ArrayBuffer) this.#sink?.message(new Uint8Array(data));
  }

  #end(code: number, reason: string): void {
    const sink = this.#sink;
    this.#sink = undefined;
    sink?.closed(code, reason, this.#error);
    this.#ended.resolve();
  }
}

/** The platform's own WebSocket: every browser, and Node from 22. */
export function platformWebSocket(): WebSocketConstructor {
  const { WebSocket } = globalThis as { WebSocket?: unknown };
  if (WebSocket === undefined) {
    throw new InvalidOptionError('This platform has no WebSocket: give a constructor as `webSocket`.');
  }
  return WebSocket as WebSocketConstructor;
}
