import type { Lifetime, MessageSocket, SocketEnd, SocketSink } from '../../kernel/index.ts';
import { AudioChunk, base64ByteLength, parseJsonObject } from '../../protocol/index.ts';
import type { StreamConnection, StreamSink } from '../../session/stream-port.ts';
import type { TimedWord, TtsInput, TtsOutput } from '../../speech/index.ts';
import { PcmCarry } from '../pcm-carry.ts';
import { endError, saidError, setupError } from './gateway-failures.ts';

/** How long `session.closed` is waited for: what is to be spoken was spoken before, or is not wanted. */
export const SESSION_CLOSE_TIMEOUT_MS = 1_000;

/** How much of a message that cannot be read is shown. */
const SHOWN_CHARACTERS = 200;

const UTF_8 = new TextDecoder();

const GOODBYE = '{"type":"session.close"}';
const FLUSH = '{"type":"session.flush"}';

export interface GatewayTtsConnectionOptions {
  readonly provider: string;
  readonly rateHz: number;
  /** The first message. */
  readonly create: string;
  readonly sink: StreamSink<TtsOutput>;
  readonly scope: Lifetime;
}

/** What was given to the gateway and is not done. Its wire has no names: what comes belongs to the oldest. */
interface Pending {
  readonly name: string;
  characters: number;
  isFlushed: boolean;
  isCancelled: boolean;
}

/**
 * - `dialling`: there is no socket yet. - `setup`: session.create is sent. - `live`. - `finishing`: session.close is
 * sent; what comes before the answer still counts. - `ended`: nothing is told any more.
 */
type State =
  | { readonly tag: 'dialling' | 'ended' }
  | { readonly tag: 'setup' | 'live' | 'finishing'; readonly socket: MessageSocket };

/** One session of the gateway, over which one utterance is spoken after the other. */
export class GatewayTtsConnection implements StreamConnection<TtsInput>, SocketSink {
  /** Resolves when the session is created; rejects when the connection ended before. */
  readonly ready: Promise<void>;
  readonly #options: GatewayTtsConnectionOptions;
  readonly #settled = Promise.withResolvers<void>();
  #state: State = { tag: 'dialling' };
  readonly #pending: Pending[] = [];
  readonly #carry = new PcmCarry();

  constructor(options: GatewayTtsConnectionOptions) {
    this.#options = options;
    this.ready = this.#settled.promise;
    // The end may come while the dial is still being awaited, when nobody waits for this one yet.
    this.ready.catch(() => undefined);
  }

  /** Sends the first message, and from now on says goodbye when the owner closes: a session that is not told is paid for. */
  begin(socket: MessageSocket): void {
    if (this.#state.tag !== 'dialling') return;
    this.#state = { tag: 'setup', socket };
    this.#options.scope.own('session', this, { stop: (connection) => connection.#leave() });
    socket.send(this.#options.create);
  }

  send(input: TtsInput): boolean {
    if (this.#state.tag !== 'live') return false;
    const { socket } = this.#state;
    switch (input.type) {
      case 'text':
        return this.#text(socket, input.utterance, input.text);
      case 'end':
        return this.#end(socket, input.utterance);
      case 'cancel':
        return this.#cancel(socket, input.utterance);
    }
  }

  get bufferedBytes(): number {
    return 'socket' in this.#state ? this.#state.socket.bufferedBytes : 0;
  }

  get flushedBytes(): number {
    return 'socket' in this.#state ? this.#state.socket.flushedBytes : 0;
  }

  probe(): void {
    if (this.#state.tag === 'live') this.#state.socket.ping();
  }

  finish(): void {
    if (this.#state.tag !== 'live') return;
    const { socket } = this.#state;
    this.#state = { tag: 'finishing', socket };
    socket.send(GOODBYE);
    this.#options.scope.timer('session.closed', SESSION_CLOSE_TIMEOUT_MS, () => closeNormally(socket));
  }

  message(data: Uint8Array): void {
    const { tag } = this.#state;
    if (tag === 'ended' || tag === 'dialling') return;
    const text = UTF_8.decode(data);
    const parsed = parseJsonObject(text);
    if (!parsed.ok) {
      this.#tell({ type: 'unknown', message: text.slice(0, SHOWN_CHARACTERS) });
      return;
    }
    this.#read(parsed.value);
  }

  pong(): void {
    if (this.#state.tag === 'live') this.#options.sink.alive();
  }

  closed(end: SocketEnd): void {
    const { tag } = this.#state;
    if (tag === 'ended') return;
    this.#state = { tag: 'ended' };
    const { provider, sink } = this.#options;
    if (tag === 'live' || tag === 'finishing') {
      const error = endError(end, provider);
      sink.ended({ ...end, ...(error === undefined ? {} : { error }) });
    } else {
      this.#settled.reject(setupError(end, provider));
    }
  }

  #text(socket: MessageSocket, name: string, text: string): boolean {
    let pending = this.#pending.find((entry) => entry.name === name);
    if (pending === undefined) {
      pending = { name, characters: 0, isFlushed: false, isCancelled: false };
      this.#pending.push(pending);
    }
    pending.characters += text.length;
    return socket.send(JSON.stringify({ type: 'input_transcript', transcript: text }));
  }

  #end(socket: MessageSocket, name: string): boolean {
    const pending = this.#pending.find((entry) => entry.name === name);
    if (pending === undefined) {
      // Nothing was to be said.
      this.#tell({ type: 'done', utterance: name });
      return true;
    }
    if (pending.isFlushed) return true;
    pending.isFlushed = true;
    return socket.send(FLUSH);
  }

  /** The wire has no word for it: what comes until the next `done` is not told. */
  #cancel(socket: MessageSocket, name: string): boolean {
    const pending = this.#pending.find((entry) => entry.name === name);
    if (pending === undefined) return true;
    pending.isCancelled = true;
    return this.#end(socket, name);
  }

  #read(message: Readonly<Record<string, unknown>>): void {
    switch (message.type) {
      case 'session.created':
        this.#created();
        break;
      case 'output_audio':
        this.#audio(message.audio);
        break;
      case 'output_alignment':
        this.#alignment(message.words);
        break;
      case 'done':
        this.#done();
        break;
      case 'session.closed':
        this.#sessionClosed();
        break;
      case 'error':
        this.#error(message);
        break;
      default:
        this.#tell({ type: 'unknown', message });
    }
  }

  #created(): void {
    if (this.#state.tag !== 'setup') return;
    this.#state = { tag: 'live', socket: this.#state.socket };
    this.#settled.resolve();
  }

  #audio(base64: unknown): void {
    const pending = this.#pending[0];
    if (typeof base64 !== 'string' || pending === undefined || pending.isCancelled) {
      // Audio that belongs to nothing: its utterance is done, or nobody wants it.
      this.#options.sink.alive();
      return;
    }
    const bytes = Buffer.from(base64, 'base64');
    if (bytes.byteLength !== base64ByteLength(base64)) {
      this.#tell({ type: 'unknown', message: { type: 'output_audio', audio: 'not base64' } });
      return;
    }
    const isWhole = !this.#carry.isSplit && bytes.byteLength % 2 === 0;
    const { rateHz } = this.#options;
    const audio = isWhole
      ? AudioChunk.fromBoth(bytes, base64, rateHz)
      : AudioChunk.fromPcm(this.#carry.pushMessage(bytes), rateHz);
    if (audio.sampleCount > 0) this.#tell({ type: 'audio', utterance: pending.name, audio });
  }

  #alignment(given: unknown): void {
    const pending = this.#pending[0];
    const words = Array.isArray(given) ? given.flatMap(readWord) : [];
    if (pending === undefined || pending.isCancelled || words.length === 0) this.#options.sink.alive();
    else this.#tell({ type: 'words', utterance: pending.name, words });
  }

  #done(): void {
    const pending = this.#pending[0];
    // One that answers no flush ends nothing.
    if (pending?.isFlushed !== true) {
      this.#options.sink.alive();
      return;
    }
    this.#pending.shift();
    this.#carry.reset();
    this.#tell({ type: 'usage', characters: pending.characters });
    if (!pending.isCancelled) this.#tell({ type: 'done', utterance: pending.name });
  }

  #sessionClosed(): void {
    // Said without being asked, the close follows, or the next text is not answered: it is as good as closed.
    if ('socket' in this.#state) closeNormally(this.#state.socket);
  }

  /** After an error nothing of the session is to be relied upon: whether a close follows or not, it is left. */
  #error({ code, message }: Readonly<Record<string, unknown>>): void {
    const state = this.#state;
    if (!('socket' in state)) return;
    const { provider, sink } = this.#options;
    const number = typeof code === 'string' ? Number(code) : code;
    const text = typeof message === 'string' ? message : 'no message';
    const error = saidError(
      typeof number === 'number' && Number.isFinite(number) ? number : undefined,
      text,
      provider,
    );
    this.#leave();
    closeNormally(state.socket);
    if (state.tag === 'setup') this.#settled.reject(error);
    else sink.ended({ reason: text, error });
  }

  /** Says goodbye where the session was opened. */
  #leave(): void {
    const state = this.#state;
    this.#state = { tag: 'ended' };
    if (state.tag === 'setup' || state.tag === 'live') state.socket.send(GOODBYE);
  }

  #tell(output: TtsOutput): void {
    const { tag } = this.#state;
    if (tag === 'live' || tag === 'finishing') this.#options.sink.output(output);
  }
}

function closeNormally(socket: MessageSocket): void {
  socket.close(1_000, 'session closed');
}

/** A word of an alignment, whose times are seconds; nothing where it is none. */
function readWord(given: unknown): TimedWord[] {
  if (typeof given !== 'object' || given === null) return [];
  const { word, start, end } = given as Readonly<Record<string, unknown>>;
  if (typeof word !== 'string' || typeof start !== 'number' || typeof end !== 'number') return [];
  if (!(start >= 0 && end >= start)) return [];
  return [{ text: word, startMs: start * 1_000, endMs: end * 1_000 }];
}
