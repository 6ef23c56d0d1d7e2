import type { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import type { Lifetime, Timer } from '../../kernel/index.ts';
import { CLOSE_CODES } from '../../protocol/index.ts';
import type { AudioDropped } from '../../protocol/index.ts';
import { Allowance } from '../limits/index.ts';
import type { LegEnd, SocketGoodbye } from './leg-end.ts';
import { OutputQueue } from './output-queue.ts';
import type { LimitKind, Refusals } from '../limits/index.ts';
import type { ServerLimits } from '../server-options.ts';

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
  /** Audio did not leave, because the client does not keep up. Returns what it is told of it. */
  dropped(dropped: AudioDropped): string;
  /** The connection cannot go on: the client broke a bound. The socket is still open, to be closed with a reason. */
  broken(end: LegEnd): void;
  /** The client is gone. */
  gone(departure: Departure): void;
}

/** No close frame came (RFC 6455 7.1.5). */
const ABNORMAL_CLOSURE = 1006;

/** Who does not read and has not been heard of for this long is not slow but gone: a microphone says something all the time. */
const SLOW_OR_GONE_MS = 5_000;

/** How far above a rate a burst may go: seconds of it that are saved up while a client says little. */
const BURST_SECONDS = 2;

/** Pings go out this many times within the time a client may be silent. */
const PINGS_PER_SILENCE = 3;

/** A client's WebSocket, and the stream it stands on. */
export interface AcceptedSocket {
  readonly webSocket: WebSocket;
  readonly stream: Duplex;
}

export interface ClientSocketOptions {
  readonly limits: ServerLimits;
  readonly refusals: Refusals;
  readonly goodbye: SocketGoodbye;
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
  /** Writes messages whole to the stream, between the control frames of the WebSocket: both write without waiting. */
  readonly #output: OutputQueue;
  readonly #stream: Duplex;
  #scope: Lifetime;
  readonly #limits: ServerLimits;
  readonly #refusals: Refusals;
  #sink: ClientSocketSink | undefined;
  /** The same, also when it is not told any more what the client says. */
  #lastSink: ClientSocketSink | undefined;
  /** The next ping, or the end of a client that answered none. */
  #ping: Timer | undefined;
  /** Runs from when audio was dropped until nothing waits any more, or the client is given up. */
  #slow: Timer | undefined;
  #slowAtMs = 0;
  #isGivenUp = false;
  /** A ping that is answered when the client reads again. */
  #unanswered: Buffer | undefined;
  #departure: Departure = 'vanished';
  readonly #messages: Allowance;
  readonly #bytes: Allowance;
  #heardAtMs: number;

  constructor(accepted: AcceptedSocket, scope: Lifetime, options: ClientSocketOptions) {
    const { limits, refusals, goodbye } = options;
    const { webSocket: socket, stream } = accepted;
    this.#socket = socket;
    this.#stream = stream;
    this.#scope = scope;
    this.#limits = limits;
    this.goodbye = goodbye;
    this.#refusals = refusals;
    const { maxMessagesPerSecond, maxBytesPerSecond, maxMessageBytes } = limits;
    const nowMs = scope.clock.now();
    this.#heardAtMs = nowMs;
    this.#messages = new Allowance(maxMessagesPerSecond, maxMessagesPerSecond * BURST_SECONDS, nowMs);
    // One message is taken whole, however large it may be.
    this.#bytes = new Allowance(
      maxBytesPerSecond,
      maxBytesPerSecond * BURST_SECONDS + maxMessageBytes,
      nowMs,
    );
    this.#output = new OutputQueue({
      stream,
      maxBytes: limits.maxBufferedBytes,
      words: (dropped) => this.#words(dropped),
      full: (what) => this.#full(what),
      empty: () => this.#caughtUp(),
    });
    socket.on('ping', (data: Buffer) => this.#pinged(data));
    socket.on('pong', (data: Buffer) => void this.#isTaken(data.byteLength));
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
    this.#slow?.cancel();
    this.#scope.release(this.#socket);
    this.#scope = scope;
    this.#belongTo(scope);
    if (this.#slow !== undefined) this.#armSlow(scope.clock.now() - this.#slowAtMs);
  }

  /** Says who is told from now on. Before it is set nothing is read from the wire twice, and nothing is lost. */
  listen(sink: ClientSocketSink): void {
    this.#sink = sink;
    this.#lastSink = sink;
    if (this.#socket.readyState >= this.#socket.CLOSING) sink.gone(this.#departure);
  }

  /** Sends a message that is not dropped, however slow the client is. */
  send(data: string | Uint8Array): void {
    if (this.#mayWrite) this.#output.send(data);
  }

  /** Sends a message of audio, `samples` from `positionSamples` on, which is dropped where too much waits before it. */
  sendAudio(data: string | Uint8Array, positionSamples: number, samples: number): void {
    if (this.#mayWrite) this.#output.sendAudio(data, positionSamples, samples);
  }

  /** Who was given up is sent nothing more: it would only wait. */
  get #mayWrite(): boolean {
    return this.#socket.readyState === this.#socket.OPEN && !this.#isGivenUp;
  }

  #belongTo(scope: Lifetime): void {
    scope.own('client socket', this.#socket, {
      phase: 'hooks',
      boundMs: this.#limits.socketCloseTimeoutMs,
      stop: () => undefined,
      close: (held) => {
        this.#output.release();
        return sayGoodbye(held, this.goodbye);
      },
      abort: (held) => held.terminate(),
    });
    this.#armPing();
  }

  #message(data: RawData, isBinary: boolean): void {
    if (this.#sink === undefined) return;
    const bytes = data as Buffer;
    if (!this.#isTaken(bytes.byteLength)) return;
    if (bytes.byteLength > this.#limits.maxMessageBytes) {
      const message = `a message of ${bytes.byteLength} bytes; at most ${this.#limits.maxMessageBytes} are taken`;
      this.#broken('message_bytes', { tag: 'tooLarge', message });
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
        this.#refusals.note('silent_client');
        this.#scope.log.info('client vanished', { silentMs: Math.round(silentMs) });
        this.#socket.terminate();
        return;
      }
      if (this.#socket.readyState === this.#socket.OPEN) this.#socket.ping();
      this.#armPing();
    });
  }

  /** One message of the rates; false when one of them is used up, and the client is told so. */
  #isTaken(bytes: number): boolean {
    const nowMs = this.#scope.clock.now();
    this.#heardAtMs = nowMs;
    const { maxMessagesPerSecond, maxBytesPerSecond } = this.#limits;
    if (!this.#messages.take(1, nowMs)) {
      const message = `more than ${maxMessagesPerSecond} messages a second`;
      this.#broken('messages_per_second', { tag: 'protocolError', message });
      return false;
    }
    if (!this.#bytes.take(bytes, nowMs)) {
      const message = `more than ${maxBytesPerSecond} bytes a second`;
      this.#broken('bytes_per_second', { tag: 'protocolError', message });
      return false;
    }
    return true;
  }

  /** The library would answer each of a flood of pings, and keep what the client does not read. */
  #pinged(data: Buffer): void {
    if (!this.#isTaken(data.byteLength) || this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#stream.writableNeedDrain) {
      // RFC 6455 5.5.3: the last of several pings may be the one that is answered.
      if (this.#unanswered === undefined && this.#output.bytes === 0)
        this.#stream.once('drain', () => this.#answerPing());
      this.#unanswered = data;
    } else this.#socket.pong(data);
  }

  #answerPing(): void {
    const data = this.#unanswered;
    this.#unanswered = undefined;
    if (data !== undefined && this.#socket.readyState === this.#socket.OPEN) this.#socket.pong(data);
  }

  #words(dropped: AudioDropped): string {
    return this.#lastSink?.dropped(dropped) ?? '';
  }

  /** More waits for the client than is kept for it. */
  #full(what: 'audio dropped' | 'nothing to drop'): void {
    if (what === 'nothing to drop') {
      this.#giveUp();
    } else if (this.#slow === undefined) {
      this.#refusals.note('output_bytes');
      this.#slowAtMs = this.#scope.clock.now();
      this.#armSlow(0);
    }
  }

  #armSlow(sinceMs: number): void {
    const leftMs = Math.max(0, this.#limits.slowClientTimeoutMs - sinceMs);
    this.#slow = this.#scope.isClosing
      ? undefined
      : this.#scope.timer('slow client', leftMs, () => this.#giveUp());
  }

  #caughtUp(): void {
    this.#slow?.cancel();
    this.#slow = undefined;
    this.#answerPing();
  }

  /** It does not read. If it was not heard of either it is gone, and may come back; otherwise it is too slow. */
  #giveUp(): void {
    this.#slow?.cancel();
    this.#slow = undefined;
    if (this.#isGivenUp) return;
    this.#isGivenUp = true;
    this.#refusals.note('slow_client');
    if (this.#scope.clock.now() - this.#heardAtMs >= SLOW_OR_GONE_MS) this.#socket.terminate();
    else this.#tellBroken({ tag: 'slowClient' });
  }

  #broken(limit: LimitKind, end: LegEnd): void {
    if (this.#sink !== undefined) this.#refusals.note(limit);
    this.#tellBroken(end);
  }

  /** Tells the leg once, and listens no more: what still comes from this client does not matter. */
  #tellBroken(end: LegEnd): void {
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
