import type { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import type { Lifetime, Timer } from '../kernel/index.ts';
import { CLOSE_CODES } from '../protocol/index.ts';
import type { LegEnd, SocketGoodbye } from './leg-end.ts';
import { serverFrame } from './server-frame.ts';
import type { ServerLimits } from './server-options.ts';

/**
 * How a client went: `left` with a goodbye, or `vanished` without one, which says nothing about what it wanted. Who broke
 * the protocol of WebSockets has left: it would do so again.
 */
export type Departure = 'left' | 'vanished';

/** What a client's socket tells the leg that uses it. Called synchronously, as frames arrive. */
export interface ClientSocketSink {
  text(text: string): void;
  /** Valid during the call only, unless it is copied. */
  binary(bytes: Uint8Array): void;
  /** The connection cannot go on: the client broke a bound. The socket is still open, to be closed with a reason. */
  broken(end: LegEnd): void;
  /** The client is gone. */
  gone(departure: Departure): void;
}

/** No close frame came (RFC 6455 7.1.5). */
const ABNORMAL_CLOSURE = 1006;

/** Who does not read and has not been heard of for this long is not slow but gone: a microphone says something all the time. */
const SLOW_OR_GONE_MS = 5_000;

/** How far above the rate a burst may go: seconds of it that are saved up while a client says little. */
const BURST_SECONDS = 2;

/** Pings go out this many times within the time a client may be silent. */
const PINGS_PER_SILENCE = 3;

/** A client's WebSocket, and the stream it stands on. */
export interface AcceptedSocket {
  readonly webSocket: WebSocket;
  readonly stream: Duplex;
}

/**
 * One client's WebSocket, bounded in every direction: how large a message may be, how many come in a second, how much
 * waits to be read, and how long a goodbye may take. It belongs to the scope it is made under, until it is moved to
 * another one, and is closed with `goodbye` after everything else in that scope, so that what the live session still says
 * arrives.
 */
export class ClientSocket {
  /** What the client is told when the scope closes. */
  goodbye: SocketGoodbye;
  readonly #socket: WebSocket;
  /** Messages are written to it whole, between the control frames of the WebSocket: both write without waiting. */
  readonly #stream: Duplex;
  #scope: Lifetime;
  readonly #limits: ServerLimits;
  #sink: ClientSocketSink | undefined;
  /** The next ping, or the end of a client that answered none. */
  #ping: Timer | undefined;
  #departure: Departure = 'vanished';
  #allowance: number;
  #allowanceAtMs: number;
  #heardAtMs: number;

  constructor(accepted: AcceptedSocket, scope: Lifetime, limits: ServerLimits, goodbye: SocketGoodbye) {
    const { webSocket: socket, stream } = accepted;
    this.#socket = socket;
    this.#stream = stream;
    this.#scope = scope;
    this.#limits = limits;
    this.goodbye = goodbye;
    this.#allowance = limits.maxMessagesPerSecond * BURST_SECONDS;
    this.#allowanceAtMs = scope.clock.now();
    this.#heardAtMs = this.#allowanceAtMs;
    socket.on('pong', () => {
      this.#heardAtMs = scope.clock.now();
    });
    socket.on('message', (data, isBinary) => this.#message(data, isBinary));
    socket.on('close', (code) => {
      if (code !== ABNORMAL_CLOSURE && code !== CLOSE_CODES.reconnecting.code) this.#departure = 'left';
      this.#sink?.gone(this.#departure);
    });
    // A broken frame: 'close' follows, and that is where it is handled. A reset is no error here.
    socket.on('error', (error) => {
      this.#departure = 'left';
      scope.log.debug('client socket error', { error: error.message });
    });
    this.#belongTo(scope);
  }

  /** Hands the socket over from the scope it belongs to. */
  moveTo(scope: Lifetime): void {
    this.#ping?.cancel();
    this.#scope.release(this.#socket);
    this.#scope = scope;
    this.#belongTo(scope);
  }

  /** Says who is told from now on. Before it is set nothing is read from the wire twice, and nothing is lost. */
  listen(sink: ClientSocketSink): void {
    this.#sink = sink;
    if (this.#socket.readyState >= this.#socket.CLOSING) sink.gone(this.#departure);
  }

  /** Sends a text or binary message. A client that does not read is given up. */
  send(data: string | Uint8Array): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#socket.bufferedAmount > this.#limits.maxBufferedBytes) {
      if (this.#scope.clock.now() - this.#heardAtMs >= SLOW_OR_GONE_MS) this.#socket.terminate();
      else this.#broken({ tag: 'slowClient' });
      return;
    }
    this.#stream.write(serverFrame(data));
  }

  #belongTo(scope: Lifetime): void {
    scope.own('client socket', this.#socket, {
      phase: 'hooks',
      boundMs: this.#limits.socketCloseTimeoutMs,
      stop: () => undefined,
      close: (held) => sayGoodbye(held, this.goodbye),
      abort: (held) => held.terminate(),
    });
    this.#armPing();
  }

  #message(data: RawData, isBinary: boolean): void {
    if (this.#sink === undefined) return;
    if (!this.#takeAllowance()) {
      const rate = this.#limits.maxMessagesPerSecond;
      this.#broken({ tag: 'protocolError', message: `more than ${rate} messages a second` });
      return;
    }
    const bytes = data as Buffer;
    if (bytes.byteLength > this.#limits.maxMessageBytes) {
      const message = `a message of ${bytes.byteLength} bytes; at most ${this.#limits.maxMessageBytes} are taken`;
      this.#broken({ tag: 'tooLarge', message });
    } else if (isBinary) {
      this.#sink.binary(bytes);
    } else {
      this.#sink.text(bytes.toString('utf8'));
    }
  }

  /** A peer that is gone without a word answers no ping, and is cut off: no close could reach it (clause L). */
  #armPing(): void {
    const { clientSilenceTimeoutMs } = this.#limits;
    this.#ping = this.#scope.timer('client ping', clientSilenceTimeoutMs / PINGS_PER_SILENCE, () => {
      const silentMs = this.#scope.clock.now() - this.#heardAtMs;
      if (silentMs >= clientSilenceTimeoutMs) {
        this.#scope.log.info('client vanished', { silentMs: Math.round(silentMs) });
        this.#socket.terminate();
        return;
      }
      if (this.#socket.readyState === this.#socket.OPEN) this.#socket.ping();
      this.#armPing();
    });
  }

  /** One message of the rate; false when it is used up. */
  #takeAllowance(): boolean {
    const nowMs = this.#scope.clock.now();
    const rate = this.#limits.maxMessagesPerSecond;
    const earned = ((nowMs - this.#allowanceAtMs) * rate) / 1_000;
    this.#allowanceAtMs = nowMs;
    this.#heardAtMs = nowMs;
    this.#allowance = Math.min(rate * BURST_SECONDS, this.#allowance + earned) - 1;
    return this.#allowance >= 0;
  }

  /** Tells the leg once, and listens no more: what still comes from this client does not matter. */
  #broken(end: LegEnd): void {
    const sink = this.#sink;
    this.#sink = undefined;
    sink?.broken(end);
  }
}

function sayGoodbye(socket: WebSocket, { code, reason }: SocketGoodbye): Promise<void> | undefined {
  if (socket.readyState === socket.CLOSED) return undefined;
  return new Promise((resolve) => {
    socket.once('close', () => resolve());
    socket.close(code, reason);
  });
}
