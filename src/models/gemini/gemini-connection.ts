import type { Clock, Lifetime, Logger, MessageSocket, SocketEnd, SocketSink } from '../../kernel/index.ts';
import { withoutHandle } from '../../session/connection-log.ts';
import type { LiveConnection, ModelInput, ModelOutput, ModelSink } from '../../session/live-model.ts';
import { CallIds } from './call-ids.ts';
import { ConsumedInputs } from './consumed-inputs.ts';
import { encodeAudio, encodeInput } from './encode-input.ts';
import type { InputRules } from './encode-input.ts';
import { RESUMED_PHASE_MS } from './end-rows.ts';
import type { ConnectionPhase } from './end-rows.ts';
import { liveError, setupError } from './failures.ts';
import type { FailureReading } from './failures.ts';
import type { GeminiConfig } from './options.ts';
import { readServerMessage } from './read-server-message.ts';
import type { MessageReader } from './read-server-message.ts';
import type { Opening } from './setup-frame.ts';

/**
 * - `dialling`: there is no socket yet. - `setup`: the setup is sent, the provider has not taken it. - `live`: the
 * history is handed over; input is welcome. - `finishing`: this side has said goodbye, the provider has not answered
 * it. - `ended`: the socket is gone.
 */
type ConnectionState =
  | { readonly tag: 'dialling'; readonly socket?: undefined }
  | { readonly tag: 'setup' | 'finishing'; readonly socket: MessageSocket }
  | { readonly tag: 'live'; readonly socket: MessageSocket; readonly sinceMs: number }
  | { readonly tag: 'ended'; readonly socket: MessageSocket | undefined };

/** What a connection says goodbye with when another one takes its place: an end that was meant (RFC 6455 7.4.1). */
const SWAP_GOODBYE = { code: 1_000, reason: 'swap' } as const;

/** One connection to Gemini: reads what comes for its sink, writes what the session sends. */
export class GeminiConnection implements LiveConnection, SocketSink, MessageReader {
  /** Resolves when the provider has taken setup and history; rejects when the connection ended before that. */
  readonly ready: Promise<void>;

  #state: ConnectionState = { tag: 'dialling' };
  readonly #opening: Opening;
  readonly #rules: InputRules;
  readonly #failures: FailureReading;
  readonly #sink: ModelSink;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #settled = Promise.withResolvers<void>();
  /** Kinds of input that were left out, so that each is logged once. */
  readonly #leftOut = new Set<ModelInput['type']>();
  readonly #callIds: CallIds;
  /** Undefined where the provider does not tell what it has consumed. */
  readonly #consumed: ConsumedInputs | undefined;
  /** The handle this connection was set up with, or was given since: the provider's last words may quote it. */
  #handle: string | undefined;
  /** Whether the message being read has told the sink anything. */
  #hasTold = false;

  constructor(config: GeminiConfig, opening: Opening, sink: ModelSink, { log, clock }: Lifetime) {
    this.#opening = opening;
    this.#handle = opening.handle;
    this.#rules = { generation: config.generation, manualTurns: opening.manualTurns };
    this.#failures = config.failures;
    this.#sink = sink;
    this.#log = log;
    this.#clock = clock;
    this.#callIds = new CallIds(clock.wallTime());
    this.#consumed = opening.isIndexed
      ? new ConsumedInputs(opening.historyFrame === undefined ? 0 : 1)
      : undefined;
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
      if (input.audio.byteLength === 0) return this.#counted(0, true);
      return this.#counted(1, socket.send(encodeAudio(input.audio)));
    }
    const frames = encodeInput(input, this.#rules);
    if (frames.length === 0) this.#logLeftOut(input.type);
    return this.#counted(
      frames.length,
      frames.every((frame) => socket.send(frame)),
    );
  }

  get bufferedBytes(): number {
    return this.#state.socket?.bufferedBytes ?? 0;
  }

  get flushedBytes(): number {
    return this.#state.socket?.flushedBytes ?? 0;
  }

  probe(): void {
    if (this.#state.tag === 'live') this.#state.socket.ping();
  }

  /** The socket's own bound ends the wait for a provider that does not answer. */
  finish(): void {
    if (this.#state.tag !== 'live') return;
    const { socket } = this.#state;
    this.#state = { tag: 'finishing', socket };
    socket.close(SWAP_GOODBYE.code, SWAP_GOODBYE.reason);
  }

  message(data: Uint8Array): void {
    const { tag } = this.#state;
    this.#hasTold = false;
    readServerMessage(data, this);
    // What says nothing to the session (an empty frame, a kind that is read over) still shows that the peer is there.
    if (!this.#hasTold && tag === 'live') this.#sink.alive();
  }

  pong(): void {
    if (this.#state.tag === 'live') this.#sink.alive();
  }

  closed({ code, reason }: SocketEnd): void {
    const state = this.#state;
    if (state.tag === 'ended') return;
    const end = { code, reason: withoutHandle(reason, this.#handle) };
    this.#state = { tag: 'ended', socket: state.socket };
    if (state.tag === 'finishing') {
      this.#sink.ended(end);
    } else if (state.tag === 'live') {
      const withHandle = this.#opening.handle !== undefined;
      const phase = this.#phaseSince(state.sinceMs);
      const error = liveError({ ...end, phase, withHandle }, this.#failures);
      this.#sink.ended({ ...end, ...(error === undefined ? {} : { error }) });
    } else {
      this.#settled.reject(setupError(end, this.#opening.handle !== undefined, this.#failures));
    }
  }

  /** The history goes out in the same instant, so that no input can get before it. */
  setupComplete(): void {
    if (this.#state.tag !== 'setup') return;
    const { socket } = this.#state;
    const { historyFrame } = this.#opening;
    if (historyFrame !== undefined) socket.send(historyFrame);
    this.#state = { tag: 'live', socket, sinceMs: this.#clock.now() };
    this.#settled.resolve();
  }

  output(message: ModelOutput): void {
    this.#hasTold = true;
    this.#sink.output(this.#asSessionKnowsIt(message));
  }

  #asSessionKnowsIt(message: ModelOutput): ModelOutput {
    if (message.type === 'resumption') return this.#inputsOf(message);
    return message.type === 'toolCall' ? { ...message, calls: this.#callIds.named(message.calls) } : message;
  }

  #counted(frames: number, isSent: boolean): boolean {
    if (isSent) this.#consumed?.sent(frames);
    return isSent;
  }

  #inputsOf({ handle, lastConsumedIndex }: Extract<ModelOutput, { type: 'resumption' }>): ModelOutput {
    this.#handle = handle ?? this.#handle;
    if (lastConsumedIndex === undefined || this.#consumed === undefined)
      return { type: 'resumption', handle };
    return {
      type: 'resumption',
      handle,
      lastConsumedIndex: this.#consumed.lastUpTo(lastConsumedIndex),
    };
  }

  #phaseSince(liveSinceMs: number): ConnectionPhase {
    if (this.#opening.handle === undefined) return 'live';
    return this.#clock.now() - liveSinceMs < RESUMED_PHASE_MS ? 'resumed' : 'live';
  }

  #logLeftOut(type: ModelInput['type']): void {
    if (this.#leftOut.has(type)) return;
    this.#leftOut.add(type);
    this.#log.warn('input left out: Gemini does not take it under this setup', { type, ...this.#rules });
  }
}
