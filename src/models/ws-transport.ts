import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import type { ClientOptions } from 'ws';
import { ClosedError, DialError, InvalidOptionError, describeError } from '../kernel/index.ts';
import type { DialOptions, Lifetime, MessageSocket, SocketSink, Timer, Transport } from '../kernel/index.ts';
import { fitCloseReason } from '../protocol/index.ts';

/**
 * How long a peer may take to answer our close frame before its socket is destroyed (clause C10). A round trip of a
 * bad mobile link fits in it; a half-open connection never answers at all.
 */
export const DEFAULT_SOCKET_CLOSE_TIMEOUT_MS = 1_000;

/** How much of a refused upgrade's body is read: providers explain themselves in far less. */
export const REFUSAL_BODY_BYTES = 1_024;

/** How long a refused upgrade's body is waited for: the status alone already ends the dial. */
export const REFUSAL_BODY_TIMEOUT_MS = 1_000;

/** The code of RFC 6455 for an end that was meant; what a scope says goodbye with. */
const NORMAL_CLOSE_CODE = 1_000;

/** RFC 6455 7.1.5: the connection went without a close frame. */
const NO_CLOSE_FRAME_CODE = 1_006;

/** The library's own bound comes after the closing plan's, so that it is the plan that names a peer that hangs. */
const LIBRARY_BOUND_GRACE_MS = 250;

const AS_TEXT = { binary: false };

export interface WsTransportOptions {
  /** Default `DEFAULT_SOCKET_CLOSE_TIMEOUT_MS`. */
  readonly socketCloseTimeoutMs?: number;
}

/**
 * Dials WebSockets of the network, over the `ws` package. What a URL carries in its query (keys, tokens) appears in
 * no error and no refusal.
 *
 * permessage-deflate is never offered: on audio it costs half again the CPU and 290 kB a session. Text is not checked
 * to be UTF-8 here, because one malformed message must not end a call; who parses it checks it.
 *
 * A stream that is full is given nothing more until it has drained: Node hands over all that waits in a stream as one
 * piece, and of a piece under way nobody can tell, over TLS, whether any of it gets through (clause R12).
 */
export class WsTransport implements Transport {
  readonly #socketCloseTimeoutMs: number;

  constructor(options: WsTransportOptions = {}) {
    this.#socketCloseTimeoutMs = options.socketCloseTimeoutMs ?? DEFAULT_SOCKET_CLOSE_TIMEOUT_MS;
    if (!(this.#socketCloseTimeoutMs >= 0)) {
      throw new InvalidOptionError(
        `socketCloseTimeoutMs must be milliseconds, 0 or more; it was ${this.#socketCloseTimeoutMs}.`,
      );
    }
  }

  /**
   * @throws ClosedError when `scope` closes, or has closed, first; DialError for a refusal; InvalidOptionError for a
   * URL, header or subprotocol that cannot be dialled.
   */
  async dial(url: string, options: DialOptions, scope: Lifetime): Promise<MessageSocket> {
    scope.throwIfClosing();
    const target = parseTarget(url);
    const socketCloseTimeoutMs = this.#socketCloseTimeoutMs;
    const socket = scope.own('socket', new WsSocket(target, options, scope, socketCloseTimeoutMs), {
      boundMs: socketCloseTimeoutMs,
      stop: (held) => held.ownerCloses(),
      close: (held, { reason }) => held.goodbye(NORMAL_CLOSE_CODE, reason),
      abort: (held) => held.destroy(),
    });
    await socket.opened;
    return socket;
  }
}

function parseTarget(url: string): URL {
  const target = URL.parse(url);
  if (target === null || (target.protocol !== 'ws:' && target.protocol !== 'wss:')) {
    throw new InvalidOptionError('A WebSocket URL must begin with ws:// or wss:// and name a host.');
  }
  target.hash = '';
  return target;
}

/** - `dialling`: the upgrade is under way. - `open`. - `closing`: a goodbye was said, by either side. - `closed`. */
type SocketState = 'dialling' | 'open' | 'closing' | 'closed';

class WsSocket implements MessageSocket {
  /** Resolves when the upgrade is done; rejects when there will be no connection. */
  readonly opened: Promise<void>;

  #state: SocketState = 'dialling';
  /** Undefined once nothing may be told any more: the end was told, or the owner closes. */
  #sink: SocketSink | undefined;
  #scope: Lifetime | undefined;
  #goodbyeTimer: Timer | undefined;
  /** Why this side gave the connection up, where it was the peer's frames that made it: it outranks what `ws` says. */
  #brokenBy: { readonly code: number; readonly reason: string } | undefined;
  #refusalTimer: Timer | undefined;
  readonly #ws: WebSocket;
  /** What the WebSocket stands on, from the upgrade on. */
  #stream: Socket | undefined;
  /** Messages that the stream has no room for, oldest first. */
  #waiting: (string | Uint8Array)[] = [];
  #waitingBytes = 0;
  #flushedBytes = 0;
  readonly #target: URL;
  readonly #socketCloseTimeoutMs: number;
  readonly #gone = Promise.withResolvers<void>();
  readonly #opening = Promise.withResolvers<void>();

  constructor(target: URL, options: DialOptions, scope: Lifetime, socketCloseTimeoutMs: number) {
    this.opened = this.#opening.promise;
    this.#target = target;
    this.#sink = options.sink;
    this.#scope = scope;
    this.#socketCloseTimeoutMs = socketCloseTimeoutMs;
    this.#ws = openWebSocket(target, options, socketCloseTimeoutMs);
    this.#ws.on('upgrade', ({ socket }) => this.#onUpgrade(socket));
    this.#ws.on('open', () => this.#onOpen());
    this.#ws.on('message', (data, isBinary) => this.#onMessage(data as Buffer, !isBinary));
    this.#ws.on('pong', () => this.#onPong());
    this.#ws.on('ping', () => this.#onPong());
    this.#ws.on('unexpected-response', (_request, response) => this.#onRefused(response));
    this.#ws.on('close', (code, reason) => this.#onClose(code, reason.toString()));
    // This listener stays for good: `ws` may still report an error after it was told to terminate.
    this.#ws.on('error', (error) => this.#onError(error));
  }

  send(data: string | Uint8Array): boolean {
    // `ws` would count what is sent after its close as buffered, for ever.
    if (this.#state !== 'open' || this.#ws.readyState !== WebSocket.OPEN) return false;
    if (this.#waiting.length > 0 || this.#stream?.writableNeedDrain === true) this.#keep(data);
    else this.#hand(data);
    return true;
  }

  get bufferedBytes(): number {
    return this.#state === 'closed' ? 0 : this.#ws.bufferedAmount + this.#waitingBytes;
  }

  get flushedBytes(): number {
    // What was given to the stream and does not wait in it. Of a stream that is gone neither can be told.
    if (this.#stream !== undefined && this.#state !== 'closed') {
      const flushedBytes = this.#stream.bytesWritten - this.#stream.writableLength;
      if (flushedBytes > this.#flushedBytes) this.#flushedBytes = flushedBytes;
    }
    return this.#flushedBytes;
  }

  ping(): void {
    if (this.#state === 'open' && this.#ws.readyState === WebSocket.OPEN) this.#ws.ping();
  }

  close(code: number, reason: string): void {
    const scope = this.#scope;
    if (this.#state === 'dialling') this.destroy();
    if (this.#state !== 'open' || scope === undefined) return;
    void this.goodbye(code, reason);
    this.#goodbyeTimer = scope.clock.setTimer(this.#socketCloseTimeoutMs, () => this.destroy());
  }

  destroy(): void {
    if (this.#state === 'dialling')
      this.#failDial(new ClosedError('The socket was destroyed while dialling.'));
    this.#ws.terminate();
  }

  /** Says goodbye and resolves when the connection is gone, however long that takes: the bound is the caller's. */
  goodbye(code: number, reason: string): Promise<void> {
    if (this.#state === 'open') {
      this.#state = 'closing';
      this.#handWaiting(() => true);
      this.#ws.close(sendableCloseCode(code), fitCloseReason(reason));
    }
    return this.#gone.promise;
  }

  /**
   * The owner begins to close: a dial ends here; an open connection tells nothing more, but takes what is flushed
   * until its goodbye.
   */
  ownerCloses(): void {
    this.#sink = undefined;
    if (this.#state === 'dialling') {
      this.#failDial(new ClosedError(`The owner of the connection to ${this.#where} closed.`));
    }
  }

  get #where(): string {
    return `${this.#target.protocol}//${this.#target.host}${this.#target.pathname}`;
  }

  #keep(data: string | Uint8Array): void {
    // The caller may use its bytes again; of a text nobody else has them.
    const kept = typeof data === 'string' ? data : data.slice();
    this.#waiting.push(kept);
    this.#waitingBytes += Buffer.byteLength(kept);
  }

  #hand(data: string | Uint8Array): void {
    // As bytes: a text of its own making the library masks in place and writes as two pieces, header and payload.
    if (typeof data === 'string') this.#ws.send(Buffer.from(data), AS_TEXT);
    else this.#ws.send(data);
  }

  #handWaiting(hasRoom: () => boolean): void {
    while (hasRoom()) {
      const data = this.#waiting.shift();
      if (data === undefined) return;
      this.#waitingBytes -= Buffer.byteLength(data);
      this.#hand(data);
    }
  }

  #onUpgrade(stream: Socket): void {
    this.#stream = stream;
    stream.on('drain', () => {
      if (this.#state === 'open') this.#handWaiting(() => !stream.writableNeedDrain);
    });
  }

  #onPong(): void {
    try {
      this.#sink?.pong?.();
    } catch (error) {
      this.#scope?.log.error('reading a pong failed', { error: describeError(error) });
    }
  }

  #onOpen(): void {
    if (this.#state !== 'dialling') return;
    this.#state = 'open';
    this.#opening.resolve();
  }

  #onMessage(data: Buffer, isText: boolean): void {
    try {
      this.#sink?.message(data, isText);
    } catch (error) {
      // Whoever reads has failed, not the connection; thrown on, it would end the process (clause C8).
      this.#scope?.log.error('reading a message failed', { error: describeError(error) });
    }
  }

  #onClose(code: number, reason: string): void {
    if (this.#state === 'dialling') this.#failDial(new DialError(this.#dialFailure('closed'), {}));
    this.#state = 'closed';
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#stream = undefined;
    this.#goodbyeTimer?.cancel();
    this.#scope?.release(this);
    this.#gone.resolve();
    const [sink, scope] = [this.#sink, this.#scope];
    this.#sink = undefined;
    this.#scope = undefined;
    try {
      sink?.closed(this.#brokenBy ?? { code, reason });
    } catch (error) {
      scope?.log.error('reading the end of a connection failed', { error: describeError(error) });
    }
  }

  #onError(error: Error): void {
    if (this.#state === 'dialling') {
      const told = describeError(error);
      const text = told === error.name ? ((error as { code?: string }).code ?? told) : told;
      this.#failDial(new DialError(this.#dialFailure(text), {}, { cause: error }));
      return;
    }
    // An open connection reports an error only for frames that break the protocol or a limit; its end follows.
    this.#brokenBy ??= brokenBy(error);
  }

  /** The upgrade was answered with something else: the first bytes of it are the provider's explanation. */
  #onRefused(response: IncomingMessage): void {
    if (this.#state !== 'dialling' || this.#scope === undefined) return;
    const chunks: Buffer[] = [];
    let bytes = 0;
    const end = (): void => {
      this.#refusalTimer?.cancel();
      if (this.#state !== 'dialling') return;
      const body = Buffer.concat(chunks).toString('utf8', 0, Math.min(bytes, REFUSAL_BODY_BYTES));
      const status = response.statusCode ?? 0;
      this.#failDial(
        new DialError(this.#dialFailure(`HTTP ${status}`), {
          httpStatus: status,
          body: withoutQueryOf(this.#target, body),
          retryAfterMs: this.#retryAfterMs(response.headers['retry-after']),
        }),
      );
    };
    this.#refusalTimer = this.#scope.clock.setTimer(REFUSAL_BODY_TIMEOUT_MS, end);
    response.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes >= REFUSAL_BODY_BYTES) end();
    });
    response.on('end', end);
    response.on('close', end);
    response.on('error', end);
  }

  /** `Retry-After` is a number of seconds or a date (RFC 9110 10.2.3). */
  #retryAfterMs(header: string | undefined): number | undefined {
    if (header === undefined || this.#scope === undefined) return undefined;
    if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1_000;
    const dateMs = Date.parse(header);
    return Number.isNaN(dateMs) ? undefined : Math.max(0, dateMs - this.#scope.clock.wallTime());
  }

  #dialFailure(what: string): string {
    return `No connection to ${this.#where}: ${what}. Check the address, the network and the credentials.`;
  }

  #failDial(error: ClosedError | DialError): void {
    this.#state = 'closed';
    this.#refusalTimer?.cancel();
    this.#sink = undefined;
    this.#scope?.release(this);
    this.#scope = undefined;
    this.#ws.terminate();
    this.#gone.resolve();
    this.#opening.reject(error);
  }
}

/** The library's own errors for a malformed URL repeat the whole URL; what reaches it here has been parsed before. */
function openWebSocket(target: URL, options: DialOptions, socketCloseTimeoutMs: number): WebSocket {
  const settings: ClientOptions & { readonly closeTimeout: number } = {
    perMessageDeflate: false,
    maxPayload: options.maxMessageBytes,
    skipUTF8Validation: true,
    followRedirects: false,
    closeTimeout: socketCloseTimeoutMs + LIBRARY_BOUND_GRACE_MS,
    ...(options.headers === undefined ? {} : { headers: { ...options.headers } }),
  };
  try {
    return new WebSocket(target, [...(options.protocols ?? [])], settings);
  } catch (error) {
    throw new InvalidOptionError(`The connection cannot be dialled: ${describeError(error)}.`);
  }
}

function brokenBy(error: Error): { readonly code: number; readonly reason: string } {
  const { code } = error as { code?: unknown };
  if (code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') {
    return { code: 1_009, reason: 'a message was larger than the limit' };
  }
  if (typeof code === 'string' && code.startsWith('WS_ERR_')) {
    return { code: 1_002, reason: `the peer broke the protocol: ${error.message}` };
  }
  return { code: NO_CLOSE_FRAME_CODE, reason: describeError(error) };
}

/** RFC 6455 7.4: which codes may travel in a close frame. Anything else is said as a normal end. */
function sendableCloseCode(code: number): number {
  const registered = code >= 1_000 && code <= 1_014 && code !== 1_004 && code !== 1_005 && code !== 1_006;
  return registered || (code >= 3_000 && code <= 4_999) ? code : NORMAL_CLOSE_CODE;
}

/** Error pages like to repeat the address they did not find, and its query holds the key. */
function withoutQueryOf(target: URL, text: string): string {
  let redacted = text;
  for (const value of target.searchParams.values()) {
    if (value.length === 0) continue;
    redacted = redacted.replaceAll(value, '…').replaceAll(encodeURIComponent(value), '…');
  }
  return redacted;
}
