import type { Logger, MessageSocket, SocketEnd, SocketSink } from '../../kernel/index.ts';
import type { LiveConnection, ModelInput, ModelOutput, ModelSink } from '../../session/live-model.ts';
import { encodeAudio, encodeInput } from './encode-input.ts';
import type { InputRules } from './encode-input.ts';
import { liveError, setupError } from './failures.ts';
import { readServerMessage } from './read-server-message.ts';
import type { MessageReader } from './read-server-message.ts';
import type { Opening } from './setup-frame.ts';

/**
 * - `dialling`: there is no socket yet. - `setup`: the setup is sent, the provider has not taken it. - `live`: the
 * history is handed over; input is welcome. - `ended`: the provider, or the network, ended it.
 */
type ConnectionState =
  | { readonly tag: 'dialling' | 'setup'; readonly socket?: MessageSocket }
  | { readonly tag: 'live'; readonly socket: MessageSocket }
  | { readonly tag: 'ended' };

/** One connection to Gemini: reads what comes for its sink, writes what the session sends. */
export class GeminiConnection implements LiveConnection, SocketSink, MessageReader {
  /** Resolves when the provider has taken setup and history; rejects when the connection ended before that. */
  readonly ready: Promise<void>;

  #state: ConnectionState = { tag: 'dialling' };
  readonly #opening: Opening;
  readonly #rules: InputRules;
  readonly #sink: ModelSink;
  readonly #log: Logger;
  readonly #settled = Promise.withResolvers<void>();
  /** Kinds of input that were left out, so that each is logged once. */
  readonly #leftOut = new Set<ModelInput['type']>();

  constructor(opening: Opening, generation: InputRules['generation'], sink: ModelSink, log: Logger) {
    this.#opening = opening;
    this.#rules = { generation, manualTurns: opening.manualTurns };
    this.#sink = sink;
    this.#log = log;
    this.ready = this.#settled.promise;
    // The end may come while the dial is still being awaited, when nobody waits for this one yet.
    this.ready.catch(() => undefined);
  }

  /** Sends the first frame. Nothing is sent where the connection has ended meanwhile: `ready` tells. */
  begin(socket: MessageSocket): void {
    if (this.#state.tag !== 'dialling') return;
    this.#state = { tag: 'setup', socket };
    socket.send(this.#opening.setupFrame);
  }

  /**
   * Input that the provider has no word for under this setup is left out, said so in the log once, and is no reason
   * to return false: nothing is wrong with the connection.
   */
  send(input: ModelInput): boolean {
    if (this.#state.tag !== 'live') return false;
    const { socket } = this.#state;
    if (input.type === 'audio') {
      return input.audio.byteLength === 0 || socket.send(encodeAudio(input.audio));
    }
    const frames = encodeInput(input, this.#rules);
    if (frames.length === 0) this.#logLeftOut(input.type);
    return frames.every((frame) => socket.send(frame));
  }

  get bufferedBytes(): number {
    return this.#state.tag === 'live' ? this.#state.socket.bufferedBytes : 0;
  }

  message(data: Uint8Array): void {
    readServerMessage(data, this);
  }

  closed(end: SocketEnd): void {
    const { tag } = this.#state;
    if (tag === 'ended') return;
    this.#state = { tag: 'ended' };
    const { withHandle } = this.#opening;
    if (tag !== 'live') {
      this.#settled.reject(setupError(end, withHandle));
      return;
    }
    const error = liveError(end, withHandle);
    this.#sink.ended({ ...end, ...(error === undefined ? {} : { error }) });
  }

  /** The history goes out in the same instant, so that no input can get before it. */
  setupComplete(): void {
    if (this.#state.tag !== 'setup' || this.#state.socket === undefined) return;
    const { socket } = this.#state;
    const { historyFrame } = this.#opening;
    if (historyFrame !== undefined) socket.send(historyFrame);
    this.#state = { tag: 'live', socket };
    this.#settled.resolve();
  }

  output(message: ModelOutput): void {
    this.#sink.output(message);
  }

  #logLeftOut(type: ModelInput['type']): void {
    if (this.#leftOut.has(type)) return;
    this.#leftOut.add(type);
    this.#log.warn('input left out: Gemini does not take it under this setup', { type, ...this.#rules });
  }
}
