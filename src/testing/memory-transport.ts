import { ClosedError, DialError } from '../kernel/index.ts';
import type {
  Clock,
  DialOptions,
  DialRefusal,
  Lifetime,
  MessageSocket,
  SocketSink,
  Timer,
  Transport,
} from '../kernel/index.ts';
import { fitCloseReason } from '../protocol/index.ts';

/** The same bound as a real socket's: how long a peer may take to answer a goodbye before it is destroyed. */
const SOCKET_CLOSE_TIMEOUT_MS = 1_000;

const NORMAL_CLOSE_CODE = 1_000;
const NO_CLOSE_FRAME_CODE = 1_006;

export interface MemoryTransportOptions {
  readonly clock: Clock;
  /** How long every message, and every step of a handshake, takes one way. Default 0: the clock's next turn. */
  readonly latencyMs?: number;
  /** The server: called for every dial that arrives. It accepts, refuses, or leaves the dial without an answer. */
  serve(dial: MemoryDial): void;
}

/**
 * A network of simulated sockets over a clock: what is sent arrives `latencyMs` later, in order, as bytes. For tests
 * and simulations of everything that dials through the `Transport` port.
 *
 * ```ts
 * const transport = new MemoryTransport({ clock, serve: (dial) => dial.accept({ message: (text) => … }) });
 * ```
 */
export class MemoryTransport implements Transport {
  readonly #options: Required<MemoryTransportOptions>;
  readonly #open = new Set<MemorySocket>();
  #dials = 0;

  constructor(options: MemoryTransportOptions) {
    this.#options = { latencyMs: 0, ...options, serve: (dial) => options.serve(dial) };
  }

  /** How often anything was dialled. */
  get dials(): number {
    return this.#dials;
  }

  /** How many sockets, dials under way included, the dialling side has not let go of. */
  get openSockets(): number {
    return this.#open.size;
  }

  async dial(url: string, options: DialOptions, scope: Lifetime): Promise<MessageSocket> {
    scope.throwIfClosing();
    this.#dials += 1;
    const { clock, latencyMs } = this.#options;
    const socket = scope.own('socket', new MemorySocket(clock, latencyMs, options, scope, this.#open), {
      boundMs: SOCKET_CLOSE_TIMEOUT_MS,
      stop: (held) => held.ownerCloses(),
      close: (held, { reason }) => held.goodbye(NORMAL_CLOSE_CODE, reason),
      abort: (held) => held.destroy(),
    });
    const dial = new MemoryDial(url, options, socket);
    clock.setTimer(latencyMs, () => {
      if (socket.isDialling) this.#options.serve(dial);
    });
    await socket.opened;
    return socket;
  }
}

/** What a server is told by one of its connections. */
export interface MemoryPeerHandlers {
  message?(data: string | Uint8Array, peer: MemoryPeer): void;
  /** The connection ended, by whichever side; 1006 when it was without a goodbye. */
  closed?(code: number, reason: string): void;
  /** Whether a close frame of the other side is answered. Default true; false is a half-open peer. */
  readonly answersClose?: boolean;
  /** Whether pings are answered. Default: as close frames are, since a half-open peer answers neither. */
  readonly answersPings?: boolean;
}

/** A dial that has arrived at the server. Without an answer it waits for ever. */
export class MemoryDial {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly protocols: readonly string[];
  readonly #socket: MemorySocket;

  constructor(url: string, options: DialOptions, socket: MemorySocket) {
    this.url = url;
    this.headers = options.headers ?? {};
    this.protocols = options.protocols ?? [];
    this.#socket = socket;
  }

  accept(handlers: MemoryPeerHandlers = {}): MemoryPeer {
    const peer = new MemoryPeer(this.#socket, handlers);
    this.#socket.deliver(() => this.#socket.accepted(peer));
    return peer;
  }

  refuse(refusal: DialRefusal = {}, message = 'the peer refused'): void {
    this.#socket.deliver(() => this.#socket.refused(new DialError(message, refusal)));
  }
}

/** The server's end of a connection. */
export class MemoryPeer {
  /** Everything that was received, in order. */
  readonly received: (string | Uint8Array)[] = [];
  readonly handlers: MemoryPeerHandlers;
  readonly #socket: MemorySocket;

  constructor(socket: MemorySocket, handlers: MemoryPeerHandlers) {
    this.#socket = socket;
    this.handlers = handlers;
  }

  send(data: string | Uint8Array): void {
    const isText = typeof data === 'string';
    const bytes = isText ? new TextEncoder().encode(data) : data.slice();
    this.#socket.deliver(() => this.#socket.arrived(bytes, isText));
  }

  /** A close frame with a code, or, without one, one that is read as 1005. */
  close(code = 1_005, reason = ''): void {
    this.#socket.deliver(() => this.#socket.ended(code, reason));
  }

  /** The connection goes without a close frame: 1006. */
  destroy(): void {
    this.#socket.deliver(() => this.#socket.ended(NO_CLOSE_FRAME_CODE, ''));
  }
}

class MemorySocket implements MessageSocket {
  readonly opened: Promise<void>;
  bufferedBytes = 0;
  flushedBytes = 0;

  #state: 'dialling' | 'open' | 'closing' | 'closed' = 'dialling';
  #sink: SocketSink | undefined;
  #scope: Lifetime | undefined;
  #peer: MemoryPeer | undefined;
  #goodbyeTimer: Timer | undefined;
  readonly #clock: Clock;
  readonly #latencyMs: number;
  readonly #maxMessageBytes: number;
  readonly #openSockets: Set<MemorySocket>;
  readonly #opening = Promise.withResolvers<void>();
  readonly #gone = Promise.withResolvers<void>();

  constructor(
    clock: Clock,
    latencyMs: number,
    options: DialOptions,
    scope: Lifetime,
    openSockets: Set<MemorySocket>,
  ) {
    this.opened = this.#opening.promise;
    this.#clock = clock;
    this.#latencyMs = latencyMs;
    this.#maxMessageBytes = options.maxMessageBytes;
    this.#sink = options.sink;
    this.#scope = scope;
    this.#openSockets = openSockets;
    openSockets.add(this);
  }

  get isDialling(): boolean {
    return this.#state === 'dialling';
  }

  /** Runs `event` at the other end of the line, after the latency. Equal latencies keep the order. */
  deliver(event: () => void): void {
    this.#clock.setTimer(this.#latencyMs, event);
  }

  accepted(peer: MemoryPeer): void {
    if (this.#state !== 'dialling') {
      peer.handlers.closed?.(NO_CLOSE_FRAME_CODE, '');
      return;
    }
    this.#state = 'open';
    this.#peer = peer;
    this.#opening.resolve();
  }

  refused(error: DialError): void {
    if (this.#state === 'dialling') this.#failDial(error);
  }

  arrived(bytes: Uint8Array, isText: boolean): void {
    // What the peer had sent before it saw a goodbye is delivered, as by a real socket.
    if (this.#state !== 'open' && this.#state !== 'closing') return;
    if (bytes.byteLength > this.#maxMessageBytes) {
      if (this.#state === 'open') this.#tellPeer(1_009, '');
      this.#state = 'closing';
      this.ended(1_009, 'a message was larger than the limit');
      return;
    }
    this.#sink?.message(bytes, isText);
  }

  ended(code: number, reason: string): void {
    if (this.#state === 'closed') return;
    if (this.#state === 'dialling') this.#failDial(new DialError('the connection went while dialling', {}));
    else if (this.#state === 'open') this.#tellPeer(code, reason);
    this.#forget();
    const sink = this.#sink;
    this.#sink = undefined;
    sink?.closed({ code, reason });
  }

  send(data: string | Uint8Array): boolean {
    if (this.#state !== 'open') return false;
    const peer = this.#peer;
    const copy = typeof data === 'string' ? data : data.slice();
    const size = typeof copy === 'string' ? copy.length : copy.byteLength;
    this.bufferedBytes += size;
    this.deliver(() => {
      this.bufferedBytes -= size;
      this.flushedBytes += size;
      if (peer === undefined) return;
      peer.received.push(copy);
      peer.handlers.message?.(copy, peer);
    });
    return true;
  }

  ping(): void {
    const handlers = this.#peer?.handlers;
    if (this.#state !== 'open' || handlers === undefined) return;
    if (handlers.answersPings ?? handlers.answersClose ?? true) {
      this.deliver(() => this.deliver(() => this.#sink?.pong?.()));
    }
  }

  close(code: number, reason: string): void {
    if (this.#state === 'dialling') this.destroy();
    if (this.#state !== 'open') return;
    void this.goodbye(code, reason);
    this.#goodbyeTimer = this.#clock.setTimer(SOCKET_CLOSE_TIMEOUT_MS, () => this.destroy());
  }

  goodbye(code: number, reason: string): Promise<void> {
    if (this.#state === 'open') {
      this.#state = 'closing';
      const said = fitCloseReason(reason);
      this.#tellPeer(code, said);
      if (this.#peer?.handlers.answersClose !== false) {
        this.deliver(() => this.deliver(() => this.ended(code, said)));
      }
    }
    return this.#gone.promise;
  }

  destroy(): void {
    if (this.#state === 'dialling') {
      this.#failDial(new ClosedError('The socket was destroyed while dialling.'));
    } else if (this.#state !== 'closed') {
      if (this.#state === 'open') this.#tellPeer(NO_CLOSE_FRAME_CODE, '');
      this.#state = 'closing';
      this.ended(NO_CLOSE_FRAME_CODE, '');
    }
  }

  ownerCloses(): void {
    this.#sink = undefined;
    if (this.#state === 'dialling') this.#failDial(new ClosedError('The owner of the connection closed.'));
  }

  #tellPeer(code: number, reason: string): void {
    const peer = this.#peer;
    this.deliver(() => peer?.handlers.closed?.(code, reason));
  }

  #failDial(error: ClosedError | DialError): void {
    this.#sink = undefined;
    this.#forget();
    this.#opening.reject(error);
  }

  #forget(): void {
    this.#state = 'closed';
    this.#goodbyeTimer?.cancel();
    this.#scope?.release(this);
    this.#scope = undefined;
    this.#openSockets.delete(this);
    this.#gone.resolve();
  }
}
