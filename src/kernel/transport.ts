import { HoldfastError } from './errors.ts';
import type { Lifetime } from './lifetime.ts';

/** How a socket ended, as this side saw it. */
export interface SocketEnd {
  /** The WebSocket close code; 1006 when the connection went without a close frame (RFC 6455 7.1.5). */
  readonly code: number;
  readonly reason: string;
}

/**
 * What a socket tells its user. Called synchronously as frames arrive: no promise and no queue stands between the
 * wire and the one who reads it. `closed` is called once, and nothing after it.
 */
export interface SocketSink {
  /** One message. `data` is only valid during the call; a text message comes as its UTF-8 bytes. */
  message(data: Uint8Array, isText: boolean): void;
  /** The peer is there: it answered a ping, or sent one of its own. */
  pong?(): void;
  closed(end: SocketEnd): void;
}

/** An open connection that carries messages. It is owned by the lifetime it was dialled under. */
export interface MessageSocket {
  /** Queues a message; false when the socket no longer takes any. Never throws. */
  send(data: string | Uint8Array): boolean;
  /** Bytes handed to `send` that have not left this process yet. */
  readonly bufferedBytes: number;
  /** Bytes that have left this process so far, handshake and framing included. It only grows; cheap to ask for. */
  readonly flushedBytes: number;
  /** Asks the peer whether it is there; `pong` of the sink is the answer. Nothing happens where the socket is not open. */
  ping(): void;
  /**
   * Says goodbye with a code and a reason (at most 123 bytes of UTF-8; longer ones are cut) and waits for the peer. What
   * the peer sends before it answers is delivered; then, or when the wait reaches its bound, `closed` of the sink tells.
   */
  close(code: number, reason: string): void;
  /** Ends the connection at once, without a word. */
  destroy(): void;
}

export interface DialOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly protocols?: readonly string[];
  /** The largest message taken in; a larger one ends the connection with 1009. */
  readonly maxMessageBytes: number;
  readonly sink: SocketSink;
}

/** What is known of a dial that ended without an open connection. */
export interface DialRefusal {
  /** The HTTP status of a refused upgrade; undefined when there was no answer to read. */
  readonly httpStatus?: number | undefined;
  /** The first bytes of a refused upgrade's body. */
  readonly body?: string | undefined;
  /** `Retry-After` of a refused upgrade, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
}

/** A dial ended without an open connection: refused, not answered, or the upgrade was denied. */
export class DialError extends HoldfastError {
  readonly code = 'HOLDFAST_DIAL';
  readonly refusal: DialRefusal;

  constructor(message: string, refusal: DialRefusal, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.refusal = refusal;
  }
}

/** Opens connections. Production dials real sockets; tests and the simulator dial simulated ones. */
export interface Transport {
  /**
   * Resolves with an open socket, registered with `scope`. When `scope` closes first, the dial is destroyed and the
   * promise rejects with a ClosedError; a refusal rejects with a DialError. The bound of the whole is the caller's:
   * close the scope when it is reached.
   */
  dial(url: string, options: DialOptions, scope: Lifetime): Promise<MessageSocket>;
}
