import { ClosedError, Emitter, Lifetime, TimeoutError, describeError, systemClock } from '../kernel/index.ts';
import type { Clock, CloseReport, Logger } from '../kernel/index.ts';
import {
  DEFAULT_INPUT_RATE_HZ,
  HOLDFAST_SUBPROTOCOL,
  asksToReconnect,
  textContent,
} from '../protocol/index.ts';
import type { Content, LiveEvent, LiveEventOf, LiveRequest, ServerHello } from '../protocol/index.ts';
import { AdkClientWire } from './adk-client-wire.ts';
import { ClientSocket, platformWebSocket } from './client-socket.ts';
import type { WebSocketConstructor } from './client-socket.ts';
import type { ClientWire, Incoming, ReceivedAudio, ServerGoAway, WireFault } from './client-wire.ts';
import { NotOpenError, ServerConnectionError } from './errors.ts';
import { HoldfastClientWire } from './holdfast-client-wire.ts';
import { liveUrl } from './server-url.ts';

/** How a client's connection ended. */
export interface ClientEnd {
  /** The WebSocket close code; 1006 when the connection went without a word. */
  readonly code: number;
  readonly reason: string;
  /** Whether the server asks to be connected to again. */
  readonly reconnect: boolean;
}

/** The one state of a client. It only ever moves downwards in this list. */
export type ClientState =
  | { readonly tag: 'connecting' }
  | { readonly tag: 'open' }
  | { readonly tag: 'closing' }
  | ({ readonly tag: 'closed' } & ClientEnd);

/** What a client tells. */
export type LiveClientEvents = {
  /** The server's first message; `holdfast.v1` only. */
  hello: [hello: ServerHello];
  /** Everything that happens in the live session but audio. */
  event: [event: Exclude<LiveEvent, { readonly type: 'audio' }>];
  /**
   * What happens between the server and its model, which `event` tells too: lost, waiting, resumed, swapped, given up.
   * Nothing is to be done about it: the server gets the connection back, and what is sent meanwhile is kept.
   * `describeConnection` puts it into words.
   */
  connection: [connection: LiveEventOf<'connection'>];
  audio: [audio: ReceivedAudio];
  /** The server will close this connection; `holdfast.v1` only. */
  goAway: [goAway: ServerGoAway];
  /** A message was refused; the session goes on. */
  error: [error: WireFault];
  state: [state: ClientState];
};

export type ClientProtocol = 'holdfast.v1' | 'adk';

export interface ConnectOptions {
  /** The server: `http://127.0.0.1:8000`, also with `ws:`, also with a path it is served under. */
  readonly url: string;
  readonly appName: string;
  readonly userId: string;
  readonly sessionId: string;
  /** Default `holdfast.v1`. */
  readonly protocol?: ClientProtocol;
  /** More query parameters of `/run_live`, such as `modalities`. */
  readonly query?: Readonly<Record<string, string | readonly string[]>>;
  /** The rate of the audio that is sent on the ADK wire; `holdfast.v1` is told by the server. Default 16 000. */
  readonly inputRateHz?: number;
  /** Default: the platform's. */
  readonly webSocket?: WebSocketConstructor;
  readonly clock?: Clock;
  readonly log?: Logger;
  /** How long opening may take, hello included. Default `DEFAULT_CONNECT_TIMEOUT_MS`. */
  readonly connectTimeoutMs?: number;
  /** The largest message taken from the server. Default `DEFAULT_MAX_SERVER_MESSAGE_BYTES`. */
  readonly maxMessageBytes?: number;
}

/** As long as the server itself waits for its model. */
export const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;

/** Results of tools and pictures come whole; a server of one's own is trusted with more than a client is. */
export const DEFAULT_MAX_SERVER_MESSAGE_BYTES = 16 * 1024 * 1024;

/** Half a minute of microphone audio as PCM: what waits longer than that is no conversation. */
export const MAX_BUFFERED_AUDIO_BYTES = 1024 * 1024;

/** How long the peer may take to answer a goodbye. */
export const SOCKET_CLOSE_TIMEOUT_MS = 1_000;

/** Events between two acknowledgements: often enough that a server need not keep much, rarely enough to cost nothing. */
const ACK_EVERY_EVENTS = 16;

/** What a client says with its goodbye: a normal end (RFC 6455 7.4.1). */
const NORMAL_CLOSURE = 1000;

/**
 * Opens a live session on a server. Returns at once; `opened` says when it is ready, or why it never will be.
 * @throws InvalidOptionError for a URL that is none, and where the platform has no WebSocket.
 */
export function connectSession(options: ConnectOptions): LiveClient {
  return new LiveClient(options);
}

/**
 * A client's side of a live session: one socket, owned by one lifetime, with the three verbs.
 *
 * ```ts
 * const client = connectSession({ url, appName: 'default', userId: 'me', sessionId });
 * client.on('event', (event) => show(event));
 * await client.opened;
 * client.sendText('Hello!');
 * ```
 */
export class LiveClient implements AsyncDisposable {
  /** Resolves when the session is ready for input; rejects with a ServerConnectionError, TimeoutError or ClosedError. */
  readonly opened: Promise<void>;
  /** Resolves, and never rejects, when everything is let go of. */
  readonly closed: Promise<CloseReport>;

  readonly #lifetime: Lifetime;
  readonly #events: Emitter<LiveClientEvents>;
  readonly #wire: ClientWire;
  readonly #socket: ClientSocket;
  readonly #opening = Promise.withResolvers<void>();
  readonly #protocol: ClientProtocol;
  readonly #url: string;
  readonly #connectTimer: { cancel(): void };
  #turnEnded = Promise.withResolvers<void>();
  #turnUnderWay = false;
  #state: ClientState = { tag: 'connecting' };
  #hello: ServerHello | undefined;
  #inputRateHz: number;
  #ackedSeq = 0;

  /** @internal Use `connectSession`. */
  constructor(options: ConnectOptions) {
    const { clock = systemClock, log, connectTimeoutMs = DEFAULT_CONNECT_TIMEOUT_MS } = options;
    const maxMessageBytes = options.maxMessageBytes ?? DEFAULT_MAX_SERVER_MESSAGE_BYTES;
    const WebSocket = options.webSocket ?? platformWebSocket();
    this.#protocol = options.protocol ?? HOLDFAST_SUBPROTOCOL;
    this.#inputRateHz = options.inputRateHz ?? DEFAULT_INPUT_RATE_HZ;
    this.#url = liveUrl(options);
    this.#lifetime = Lifetime.root({ name: 'client', clock, ...(log === undefined ? {} : { log }) });
    this.closed = this.#lifetime.closed;
    this.opened = this.#opening.promise;
    // Whoever does not wait for it learns of a failure by the state; it must not end the process.
    this.opened.catch(() => undefined);
    this.#events = new Emitter((error, event) =>
      this.#lifetime.log.warn('listener failed', { event, error: describeError(error) }),
    );
    this.#wire =
      this.#protocol === 'adk'
        ? new AdkClientWire(this.#inputRateHz, maxMessageBytes)
        : new HoldfastClientWire(maxMessageBytes);
    this.#socket = this.#lifetime.own(
      'socket',
      new ClientSocket(
        this.#url,
        this.#wire.subprotocols,
        {
          opened: () => this.#socketOpened(),
          message: (data) => this.#wire.receive(data, (incoming) => this.#receive(incoming)),
          closed: (code, reason, error) => this.#socketClosed(code, reason, error),
        },
        WebSocket,
      ),
      {
        boundMs: SOCKET_CLOSE_TIMEOUT_MS,
        stop: () => this.#stopped(),
        drain: () => this.#finishTurn(),
        close: (socket) => socket.goodbye(NORMAL_CLOSURE, ''),
        abort: (socket) => socket.forsake(),
      },
    );
    this.#connectTimer = this.#lifetime.timer('connect', connectTimeoutMs, () => {
      const message = `${this.#url} did not answer within ${connectTimeoutMs} ms.`;
      this.#fail(new TimeoutError(message));
    });
  }

  get state(): ClientState {
    return this.#state;
  }

  /** The server's hello; undefined before it, and on the ADK wire. */
  get hello(): ServerHello | undefined {
    return this.#hello;
  }

  /** The rate `sendAudio` takes. */
  get inputRateHz(): number {
    return this.#inputRateHz;
  }

  /** Bytes that were sent and have not left this process yet. */
  get bufferedBytes(): number {
    return this.#socket.bufferedBytes;
  }

  /** What the client holds outside memory. Empty after a close. */
  resources(): string[] {
    return this.#lifetime.resources();
  }

  on<Name extends keyof LiveClientEvents>(
    event: Name,
    listener: (...args: LiveClientEvents[Name]) => unknown,
  ): () => void {
    return this.#events.on(event, listener);
  }

  /**
   * Sends PCM16 mono at `inputRateHz`. Returns false, and drops it, when the client is not open or so much waits to
   * leave that the network cannot be keeping up.
   * @throws InvalidOptionError for half a sample.
   */
  sendAudio(pcm: Int16Array | Uint8Array): boolean {
    if (this.#state.tag !== 'open' || !this.#lifetime.isOpen) return false;
    if (pcm.byteLength === 0) return true;
    if (this.#socket.bufferedBytes > MAX_BUFFERED_AUDIO_BYTES) return false;
    const bytes =
      pcm instanceof Uint8Array ? pcm : new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength);
    return this.#socket.send(this.#wire.audio(bytes));
  }

  /** Sends one text as the user's turn. @throws NotOpenError, ClosedError */
  sendText(text: string): void {
    this.sendContent(textContent('user', text));
  }

  /** Sends a message. `turnComplete: false` asks for no answer yet. @throws NotOpenError, ClosedError */
  sendContent(content: Content, options: { readonly turnComplete?: boolean } = {}): void {
    this.#request({ type: 'content', content, ...options });
  }

  /** Sends one picture, as base64. @throws NotOpenError, ClosedError */
  sendImage(mimeType: string, data: string): void {
    this.#request({ type: 'image', mimeType, data });
  }

  /** Marks the start of a turn, for models whose own turn detection is off. @throws NotOpenError, ClosedError */
  activityStart(): void {
    this.#request({ type: 'activityStart' });
  }

  /** @throws NotOpenError, ClosedError */
  activityEnd(): void {
    this.#request({ type: 'activityEnd' });
  }

  /** The microphone pauses: what was said so far is complete. @throws NotOpenError, ClosedError */
  audioStreamEnd(): void {
    this.#request({ type: 'audioStreamEnd' });
  }

  /** Tells the server how much of the agent's audio has been heard. Does nothing on the ADK wire. */
  reportPlayout(positionSamples: number): void {
    const message = this.#wire.playout(positionSamples);
    if (message !== undefined && this.#state.tag === 'open') this.#socket.send(message);
  }

  /** Sends nothing more, lets the agent finish its turn, then closes. */
  drain(reason?: string): Promise<CloseReport> {
    return this.#lifetime.drain(reason);
  }

  /** Ends the live session now, politely and within a second. */
  close(reason?: string): Promise<CloseReport> {
    return this.#lifetime.close(reason);
  }

  /** Leaves without waiting for anything. */
  abort(reason?: string): Promise<CloseReport> {
    return this.#lifetime.abort(reason);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close().then(() => undefined);
  }

  #request(request: Exclude<LiveRequest, { readonly type: 'audio' }>): void {
    const { tag } = this.#state;
    if (tag === 'connecting') {
      throw new NotOpenError(`'${request.type}' was not sent: wait for \`opened\` before sending.`);
    }
    const isOpen = tag === 'open' && this.#lifetime.isOpen;
    if (!isOpen || !this.#socket.send(this.#wire.request(request))) {
      throw new ClosedError(`'${request.type}' was not sent: the client has been closed.`);
    }
    // A drain waits for the answer also when nothing of it has come yet.
    if (request.type === 'content' && request.turnComplete !== false) this.#turnUnderWay = true;
  }

  #socketOpened(): void {
    if (this.#protocol === HOLDFAST_SUBPROTOCOL && this.#socket.protocol !== HOLDFAST_SUBPROTOCOL) {
      const message = `${this.#url} does not speak ${HOLDFAST_SUBPROTOCOL}: connect with protocol 'adk'.`;
      this.#fail(new ServerConnectionError(message));
      return;
    }
    if (this.#wire.greeting === undefined) this.#open();
    else this.#socket.send(this.#wire.greeting);
  }

  #open(): void {
    if (this.#state.tag !== 'connecting') return;
    this.#connectTimer.cancel();
    this.#setState({ tag: 'open' });
    this.#opening.resolve();
  }

  #receive(incoming: Incoming): void {
    switch (incoming.type) {
      case 'hello':
        this.#hello = incoming.hello;
        this.#inputRateHz = incoming.hello.input.rateHz;
        this.#ackedSeq = incoming.hello.seq;
        this.#events.emit('hello', incoming.hello);
        this.#open();
        break;
      case 'audio':
        this.#turnUnderWay = true;
        this.#events.emit('audio', incoming.audio);
        break;
      case 'event':
        this.#receiveEvent(incoming.event);
        break;
      case 'goAway':
        this.#events.emit('goAway', incoming.goAway);
        break;
      case 'error':
        this.#events.emit('error', incoming.error);
        break;
    }
  }

  #receiveEvent(event: Exclude<LiveEvent, { readonly type: 'audio' }>): void {
    this.#events.emit('event', event);
    if (event.type === 'connection') this.#events.emit('connection', event);
    const turnEnds = event.type === 'turnComplete';
    if (turnEnds) {
      this.#turnUnderWay = false;
      this.#turnEnded.resolve();
      this.#turnEnded = Promise.withResolvers();
    } else if (event.type === 'text' || event.type === 'toolCall') this.#turnUnderWay = true;
    if (turnEnds || event.seq - this.#ackedSeq >= ACK_EVERY_EVENTS) {
      this.#ackedSeq = event.seq;
      const message = this.#wire.ack(event.seq);
      if (message !== undefined) this.#socket.send(message);
    }
  }

  /** What a drain waits for: the agent's turn, where one is under way. */
  #finishTurn(): Promise<void> | undefined {
    return this.#turnUnderWay ? this.#turnEnded.promise : undefined;
  }

  /** The first thing a close does: no more input, and the peer is told why the socket will go. */
  #stopped(): void {
    if (this.#state.tag === 'open') this.#socket.send(this.#wire.request({ type: 'close' }));
    if (this.#state.tag !== 'closed') this.#setState({ tag: 'closing' });
    this.#opening.reject(new ClosedError('The client was closed before its connection was open.'));
    this.#turnEnded.resolve();
  }

  #fail(error: Error): void {
    this.#opening.reject(error);
    void this.#lifetime.close(error.message, error);
  }

  #socketClosed(code: number, reason: string, error: string | undefined): void {
    const before = this.#state.tag;
    const end: ClientEnd = { code, reason, reconnect: asksToReconnect(code) };
    this.#lifetime.release(this.#socket);
    this.#setState({ tag: 'closed', ...end });
    if (before === 'connecting') {
      const detail = reason === '' ? (error ?? `code ${code}`) : reason;
      this.#opening.reject(new ServerConnectionError(`${this.#url} refused the connection: ${detail}`, end));
    }
    void this.#lifetime.close(reason === '' ? `closed by the server with ${code}` : reason);
  }

  #setState(state: ClientState): void {
    this.#state = state;
    this.#events.emit('state', state);
  }
}
