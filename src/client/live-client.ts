import {
  ClosedError,
  Emitter,
  HoldfastError,
  Lifetime,
  TimeoutError,
  describeError,
  systemClock,
  systemRandom,
} from '../kernel/index.ts';
import type { CloseReport } from '../kernel/index.ts';
import { DEFAULT_INPUT_RATE_HZ, HOLDFAST_SUBPROTOCOL, textContent } from '../protocol/index.ts';
import type {
  AudioDropped,
  Content,
  LiveEvent,
  LiveEventOf,
  LiveRequest,
  ServerHello,
} from '../protocol/index.ts';
import { AdkClientWire } from './adk-client-wire.ts';
import { ABNORMAL_CLOSURE, platformWebSocket } from './client-socket.ts';
import type { ClientEnd, ClientReturn, ClientState } from './client-state.ts';
import type { ClientWire, Incoming, ReceivedAudio, ServerGoAway, WireFault } from './client-wire.ts';
import {
  DEFAULT_CONNECT_TIMEOUT_MS,
  DEFAULT_MAX_SERVER_MESSAGE_BYTES,
  MAX_BUFFERED_AUDIO_BYTES,
} from './connect-options.ts';
import type { ClientProtocol, ConnectOptions } from './connect-options.ts';
import { credentialsOf } from './credentials.ts';
import { NotOpenError, ServerConnectionError } from './errors.ts';
import { HoldfastClientWire } from './holdfast-client-wire.ts';
import { Outbox } from './outbox.ts';
import type { Absence } from './reconnect.ts';
import { ServerLine } from './server-line.ts';
import { liveUrl } from './server-url.ts';

/** What a client tells. */
export type LiveClientEvents = {
  /** The server's first message on each connection; `holdfast.v1` only. */
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
  /** A piece of the agent's audio will not come, because this client did not read in time what came before it. */
  audioDropped: [dropped: AudioDropped];
  /** The server will close this connection; `holdfast.v1` only. */
  goAway: [goAway: ServerGoAway];
  /** A message was refused; the session goes on. */
  error: [error: WireFault];
  state: [state: ClientState];
  /** A connection that was lost is had again; `holdfast.v1` only. */
  returned: [back: ClientReturn];
};

/** Events between two acknowledgements: often enough that a server need not keep much, rarely enough to cost nothing. */
const ACK_EVERY_EVENTS = 16;

/** Of a server that does not say what it has taken. */
const NOTHING_TAKEN = { positionSamples: 0, messages: 0 };

/**
 * Opens a live session on a server. Returns at once; `opened` says when it is ready, or why it never will be.
 * @throws InvalidOptionError for a URL that is none, and where the platform has no WebSocket.
 */
export function connectSession(options: ConnectOptions): LiveClient {
  return new LiveClient(options);
}

/**
 * A client's side of a live session: one socket at a time, owned by one lifetime, with the three verbs.
 *
 * ```ts
 * const client = connectSession({ url, appName: 'default', userId: 'me', sessionId });
 * client.on('event', (event) => show(event));
 * await client.opened;
 * client.sendText('Hello!');
 * ```
 *
 * On `holdfast.v1` a connection that is lost is had again for as long as the server waits for it: what was missed comes
 * then, and what was said meanwhile is said, in its order and once.
 */
export class LiveClient implements AsyncDisposable {
  /** Resolves when the session is ready for input; rejects with a ServerConnectionError, TimeoutError or ClosedError. */
  readonly opened: Promise<void>;
  /** Resolves, and never rejects, when everything is let go of. */
  readonly closed: Promise<CloseReport>;

  readonly #lifetime: Lifetime;
  readonly #events: Emitter<LiveClientEvents>;
  readonly #wire: ClientWire;
  readonly #outbox = new Outbox(MAX_BUFFERED_AUDIO_BYTES);
  readonly #mayReconnect: boolean;
  readonly #opening = Promise.withResolvers<void>();
  readonly #protocol: ClientProtocol;
  readonly #url: string;
  readonly #line: ServerLine;
  #turnEnded = Promise.withResolvers<void>();
  #turnUnderWay = false;
  #state: ClientState = { tag: 'connecting' };
  #hello: ServerHello | undefined;
  #inputRateHz: number;
  #ackedSeq = 0;
  /** The last event that came, and how much audio: what a server is told that is come back to. */
  #lastSeq = 0;
  #receivedSamples = 0;
  /** How much has been heard, where that was ever told. */
  #heardSamples: number | undefined;

  /** @internal Use `connectSession`. */
  constructor(options: ConnectOptions) {
    const { clock = systemClock, log, connectTimeoutMs = DEFAULT_CONNECT_TIMEOUT_MS } = options;
    const maxMessageBytes = options.maxMessageBytes ?? DEFAULT_MAX_SERVER_MESSAGE_BYTES;
    const WebSocket = options.webSocket ?? platformWebSocket();
    this.#mayReconnect = options.reconnect ?? true;
    this.#protocol = options.protocol ?? HOLDFAST_SUBPROTOCOL;
    this.#inputRateHz = options.inputRateHz ?? DEFAULT_INPUT_RATE_HZ;
    this.#url = liveUrl(options);
    this.#lifetime = Lifetime.root({ name: 'client', clock, ...(log === undefined ? {} : { log }) });
    this.closed = this.#lifetime.closed.then((report) => {
      const { code, reason } = this.#line.absence ?? { code: ABNORMAL_CLOSURE, reason: '' };
      // Between two connections there is no socket whose end would be the client's.
      if (this.#state.tag !== 'closed') this.#setState({ tag: 'closed', code, reason, reconnect: false });
      return report;
    });
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
    // Before the socket, which may be another one by then: it is told why it goes.
    this.#lifetime.own('turn', this.#wire, { stop: () => this.#stopped(), drain: () => this.#finishTurn() });
    this.#line = new ServerLine({
      dial: { url: this.#url, subprotocols: this.#wire.subprotocols },
      credentials: credentialsOf(options),
      WebSocket,
      owner: this.#lifetime,
      random: options.random ?? systemRandom,
      connectTimeoutMs,
      sink: {
        opened: (protocol) => this.#socketOpened(protocol),
        message: (data) => this.#wire.receive(data, (incoming) => this.#receive(incoming)),
        ask: () => this.#send(this.#wire.ping()),
        away: (attempt, delayMs) => this.#setState({ tag: 'reconnecting', attempt, delayMs }),
        unprepared: (error) => this.#fail(asServerError(error, this.#url)),
        unanswered: () => {
          const message = `${this.#url} did not answer within ${connectTimeoutMs} ms.`;
          this.#fail(new TimeoutError(message));
        },
        ended: (end, error) => this.#ended(end, error),
      },
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
    return this.#line.bufferedBytes;
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
    const { tag } = this.#state;
    if ((tag !== 'open' && tag !== 'reconnecting') || !this.#lifetime.isOpen) return false;
    if (pcm.byteLength === 0) return true;
    if (!this.#hasRoomFor(pcm.byteLength)) return false;
    const bytes =
      pcm instanceof Uint8Array ? pcm : new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength);
    const data = this.#wire.audio(bytes);
    if (!this.#canComeBack || typeof data === 'string') return this.#line.send(data);
    this.#outbox.audio(data, this.#wire.sentSamples);
    if (tag === 'open' && this.#line.send(data)) this.#outbox.sent();
    return true;
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
    this.#heardSamples = positionSamples;
    if (this.#state.tag === 'open') this.#send(this.#wire.playout(positionSamples));
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
    const isUsable = (tag === 'open' || tag === 'reconnecting') && this.#lifetime.isOpen;
    if (!isUsable || !this.#say(this.#wire.request(request))) {
      throw new ClosedError(`'${request.type}' was not sent: the client has been closed.`);
    }
    // A drain waits for the answer also when nothing of it has come yet.
    if (request.type === 'content' && request.turnComplete !== false) this.#turnUnderWay = true;
  }

  /** A message that says something; kept until it has arrived, where it can be sent again. */
  #say(data: string): boolean {
    if (!this.#canComeBack) return this.#line.send(data);
    const { tag } = this.#state;
    if (tag === 'reconnecting' && !this.#outbox.hasRoomFor(data.length)) {
      throw new NotOpenError('The connection is lost, and as much waits for the next one as is kept.');
    }
    this.#outbox.message(data);
    if (tag === 'open' && this.#line.send(data)) this.#outbox.sent();
    return true;
  }

  /** Whether the server waits for this client when its connection is lost. */
  get #canComeBack(): boolean {
    return this.#mayReconnect && this.#graceMs > 0;
  }

  get #graceMs(): number {
    return this.#hello?.limits.clientGraceMs ?? 0;
  }

  #hasRoomFor(bytes: number): boolean {
    return this.#state.tag === 'open'
      ? this.#line.bufferedBytes <= MAX_BUFFERED_AUDIO_BYTES
      : this.#outbox.hasRoomFor(bytes);
  }

  /** Sends what a wire has a word for. */
  #send(message: string | undefined): void {
    if (message !== undefined) this.#line.send(message);
  }

  #socketOpened(protocol: string): void {
    if (this.#protocol === HOLDFAST_SUBPROTOCOL && protocol !== HOLDFAST_SUBPROTOCOL) {
      const message = `${this.#url} does not speak ${HOLDFAST_SUBPROTOCOL}: connect with protocol 'adk'.`;
      this.#fail(new ServerConnectionError(message));
      return;
    }
    const token = this.#hello?.resumeToken;
    const greeting = this.#wire.greeting(
      token === undefined ? undefined : { token, seq: this.#lastSeq, positionSamples: this.#receivedSamples },
    );
    if (greeting === undefined) {
      this.#line.reached(0);
      this.#open();
    } else this.#line.send(greeting);
  }

  #open(): void {
    if (this.#state.tag !== 'connecting') return;
    this.#setState({ tag: 'open' });
    this.#opening.resolve();
  }

  #greeted(hello: ServerHello): void {
    this.#hello = hello;
    this.#inputRateHz = hello.input.rateHz;
    const absence = this.#line.reached(this.#canComeBack ? this.#graceMs : 0);
    if (absence !== undefined) {
      this.#isBack(hello, absence);
      return;
    }
    this.#lastSeq = this.#ackedSeq = hello.seq;
    this.#events.emit('hello', hello);
    this.#open();
  }

  /** The connection is had again: what was said meanwhile is said before anything new can be. */
  #isBack(hello: ServerHello, absence: Absence): void {
    const { recovered, resumed = false, taken = NOTHING_TAKEN, seq } = hello;
    this.#lastSeq = seq;
    if (!resumed) this.#beginsAnew();
    this.#acknowledge(seq);
    for (const data of resumed ? this.#outbox.again(taken) : this.#outbox.anew()) this.#line.send(data);
    this.#outbox.sent();
    if (this.#heardSamples !== undefined) this.#send(this.#wire.playout(this.#heardSamples));
    this.#events.emit('hello', hello);
    this.#setState({ tag: 'open' });
    const awayMs = this.#lifetime.clock.now() - absence.sinceMs;
    this.#events.emit('returned', { recovered, resumed, awayMs, attempt: absence.attempts });
  }

  /** The live session had ended, and its counts with it. */
  #beginsAnew(): void {
    this.#receivedSamples = 0;
    this.#heardSamples = undefined;
    this.#endTurn();
  }

  #receive(incoming: Incoming): void {
    switch (incoming.type) {
      case 'hello':
        this.#greeted(incoming.hello);
        break;
      case 'taken':
        this.#outbox.taken(incoming.taken);
        break;
      case 'audio':
        this.#turnUnderWay = true;
        this.#receivedSamples = incoming.audio.positionSamples + incoming.audio.samples.length;
        this.#events.emit('audio', incoming.audio);
        break;
      case 'event':
        this.#receiveEvent(incoming.event);
        break;
      case 'audioDropped':
        this.#receivedSamples = incoming.dropped.positionSamples + incoming.dropped.samples;
        this.#events.emit('audioDropped', incoming.dropped);
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
    this.#lastSeq = event.seq;
    this.#events.emit('event', event);
    if (event.type === 'connection') this.#events.emit('connection', event);
    const turnEnds = event.type === 'turnComplete';
    if (turnEnds) this.#endTurn();
    else if (event.type === 'text' || event.type === 'toolCall') this.#turnUnderWay = true;
    if (turnEnds || event.seq - this.#ackedSeq >= ACK_EVERY_EVENTS) this.#acknowledge(event.seq);
  }

  #acknowledge(seq: number): void {
    this.#ackedSeq = seq;
    this.#send(this.#wire.ack(seq));
  }

  #endTurn(): void {
    this.#turnUnderWay = false;
    this.#turnEnded.resolve();
    this.#turnEnded = Promise.withResolvers();
  }

  /** What a drain waits for: the agent's turn, where one is under way. */
  #finishTurn(): Promise<void> | undefined {
    return this.#turnUnderWay ? this.#turnEnded.promise : undefined;
  }

  /** The first thing a close does: no more input, and the peer is told why the socket will go. */
  #stopped(): void {
    if (this.#state.tag === 'open') this.#line.send(this.#wire.request({ type: 'close' }));
    if (this.#state.tag !== 'closed') this.#setState({ tag: 'closing' });
    this.#opening.reject(new ClosedError('The client was closed before its connection was open.'));
    this.#turnEnded.resolve();
  }

  #fail(error: Error): void {
    this.#opening.reject(error);
    void this.#lifetime.close(error.message, error);
  }

  #ended(end: ClientEnd, error: string | undefined): void {
    const { code, reason } = end;
    const wasConnecting = this.#state.tag === 'connecting';
    this.#setState({ tag: 'closed', ...end });
    if (wasConnecting) {
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

/** What kept a client from dialling; a function of somebody's own may throw anything. */
function asServerError(error: unknown, url: string): Error {
  if (error instanceof HoldfastError) return error;
  return new ServerConnectionError(`${url} was not dialled: ${describeError(error)}`, undefined, {
    cause: error,
  });
}
