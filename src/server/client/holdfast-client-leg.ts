import type { Timer } from '../../kernel/index.ts';
import {
  AudioChunk,
  BYTES_PER_SAMPLE,
  HOLDFAST_PROTOCOL,
  decodeAudioFrame,
  encodeServerMessage,
  parseClientMessage,
  requestOfClientMessage,
} from '../../protocol/index.ts';
import type { ClientMessage, LiveEvent, ResumeRequest, SessionLimits } from '../../protocol/index.ts';
import { ClientInput } from './client-leg.ts';
import type { ClientLeg, LegOwner, LegPlace, LegWelcome } from './client-leg.ts';
import type { ClientRecovery } from './client-recovery.ts';
import type { ClientSocket } from './client-socket.ts';
import { holdfastGoodbye, wireErrorOf } from './leg-end.ts';
import type { LegEnd } from './leg-end.ts';
import type { WireMessage } from './replay-ring.ts';

/** A leg of this wire always has something that its client may come back with. */
export type HoldfastPlace = LegPlace & { readonly recovery: ClientRecovery };

export interface HoldfastClientLegOptions {
  readonly socket: ClientSocket;
  readonly place: HoldfastPlace;
  /** The rate of the client's binary frames, as `hello` tells it. */
  readonly inputRateHz: number;
  readonly helloTimeoutMs: number;
  /** Told of the agent's audio that was dropped, in milliseconds. */
  dropped(ms: number): void;
  /** What the client is told to keep to. */
  readonly limits: SessionLimits;
}

/**
 * `greeting`: the client has not said hello yet. `greeted`: it has, and waits for ours. `back`: it was welcomed to the
 * live session that it had lost.
 */
type Phase = 'greeting' | 'greeted' | 'welcomed' | 'back';

/** The socket has refused what is too large. */
const ALREADY_MEASURED = { maxMessageBytes: Number.MAX_SAFE_INTEGER };

/** A client of `holdfast.v1`: small JSON messages, and audio in binary frames with its position. */
export class HoldfastClientLeg implements ClientLeg {
  readonly #options: HoldfastClientLegOptions;
  readonly #socket: ClientSocket;
  #owner: LegOwner;
  #input: ClientInput;
  #recovery: ClientRecovery;
  #phase: Phase = 'greeting';
  /** The rate of the agent's audio, as the client is told it. */
  #outputRateHz = 0;
  #helloTimer: Timer | undefined;

  constructor(options: HoldfastClientLegOptions) {
    const { socket, place, helloTimeoutMs } = options;
    this.#options = options;
    this.#socket = socket;
    this.#owner = place.owner;
    this.#recovery = place.recovery;
    this.#input = this.#inputOf(place);
    this.#helloTimer = place.scope.timer('hello timeout', helloTimeoutMs, () => {
      this.#owner.broken({ tag: 'protocolError', message: `no hello within ${helloTimeoutMs} ms` });
    });
    socket.listen({
      text: (text) => this.#text(text),
      binary: (bytes) => this.#binary(bytes),
      dropped: (dropped) => {
        this.#options.dropped((dropped.samples * 1_000) / this.#outputRateHz);
        return encodeServerMessage({ type: 'audioDropped', ...dropped });
      },
      broken: (end) => this.#owner.broken(end),
      gone: (departure) => this.#owner.gone(departure),
    });
  }

  moveTo(place: LegPlace): void {
    this.#owner = place.owner;
    this.#recovery = place.recovery ?? this.#recovery;
    this.#input = this.#inputOf(place);
    this.#socket.moveTo(place.scope);
  }

  welcome({ sessionId, appName, agentName, modelId, inputRateHz, outputRateHz, missed }: LegWelcome): void {
    const { tokens, ring, input } = this.#recovery;
    this.#phase = missed === undefined ? 'welcomed' : 'back';
    this.#outputRateHz = outputRateHz;
    this.#socket.send(
      encodeServerMessage({
        type: 'hello',
        protocol: HOLDFAST_PROTOCOL,
        sessionId,
        appName,
        agent: agentName,
        model: modelId,
        input: { encoding: 'pcm16', rateHz: inputRateHz },
        output: { encoding: 'pcm16', rateHz: outputRateHz },
        limits: this.#options.limits,
        resumeToken: tokens.current,
        recovered: missed?.isComplete === true,
        resumed: missed !== undefined,
        ...(missed === undefined ? {} : { taken: input.taken }),
        seq: missed?.seq ?? ring.lastSeq,
      }),
    );
    for (const message of missed?.messages ?? []) this.#again(message);
  }

  event(event: LiveEvent): void {
    const message = this.#recovery.keep(event);
    if (message === undefined) return;
    if (event.type !== 'audio') this.#socket.send(message);
    else this.#socket.sendAudio(message, event.positionSamples, event.audio.sampleCount);
  }

  goAway(timeLeftMs: number): void {
    if (!this.#isWelcomed) return;
    this.#socket.send(
      encodeServerMessage({ type: 'goAway', timeLeftMs: Math.round(timeLeftMs), reconnect: true }),
    );
  }

  end(end: LegEnd): void {
    if (end.tag === 'failed')
      this.#socket.send(encodeServerMessage({ type: 'error', ...wireErrorOf(end.error) }));
    this.#socket.goodbye = holdfastGoodbye(end);
  }

  get #isWelcomed(): boolean {
    return this.#phase === 'welcomed' || this.#phase === 'back';
  }

  /** Sends what the client has missed: also of that audio is dropped where it does not read. */
  #again(message: WireMessage): void {
    const frame = typeof message === 'string' ? undefined : decodeAudioFrame(message);
    if (frame === undefined) this.#socket.send(message);
    else this.#socket.sendAudio(message, frame.positionSamples, frame.pcm.byteLength / BYTES_PER_SAMPLE);
  }

  #inputOf({ queue }: LegPlace): ClientInput {
    return new ClientInput(queue, ({ code, message }) => {
      this.#owner.refused(code);
      this.#socket.send(encodeServerMessage({ type: 'error', code, message }));
    });
  }

  #text(text: string): void {
    const parsed = parseClientMessage(text, ALREADY_MEASURED);
    if (!parsed.ok) {
      if (this.#phase === 'greeting') {
        this.#breakOff(parsed.reason);
        return;
      }
      // It was to say something, for all that is known, and its client has counted it.
      this.#recovery.input.message();
      this.#input.refuse(parsed.reason);
    } else if (parsed.value.type === 'hello') {
      this.#hello(parsed.value.resume);
    } else if (this.#phase === 'greeting') {
      this.#breakOff(`the first message must be hello, not ${parsed.value.type}`);
    } else {
      this.#message(parsed.value);
    }
  }

  #hello(resume: ResumeRequest | undefined): void {
    if (this.#phase !== 'greeting') {
      this.#input.refuse('Hello was said already.');
      return;
    }
    this.#helloTimer?.cancel();
    this.#phase = 'greeted';
    this.#owner.ready(resume);
  }

  #message(message: ClientMessage): void {
    switch (message.type) {
      case 'ping': {
        const { id } = message;
        this.#socket.send(encodeServerMessage({ type: 'pong', ...(id === undefined ? {} : { id }) }));
        return;
      }
      case 'playout':
        this.#recovery.ring.heard(message.positionSamples);
        this.#owner.played(message.positionSamples);
        return;
      case 'ack':
        if (!this.#isWelcomed) return;
        this.#recovery.tokens.confirmed();
        this.#recovery.ring.acknowledged(message.seq);
        return;
      default: {
        this.#recovery.input.message();
        const request = requestOfClientMessage(message);
        if (request !== undefined) this.#input.submit(request);
        this.#tellTaken();
      }
    }
  }

  #binary(bytes: Uint8Array): void {
    if (this.#phase === 'greeting') {
      this.#breakOff('the first message must be hello, not audio');
      return;
    }
    const frame = decodeAudioFrame(bytes);
    if (frame?.kind !== 'input') {
      this.#input.refuse('A binary frame is 8 bytes of header of kind 1, then whole samples of PCM16.');
      return;
    }
    const { pcm, positionSamples } = frame;
    const { inputRateHz } = this.#options;
    const sampleCount = pcm.byteLength / BYTES_PER_SAMPLE;
    const { input } = this.#recovery;
    const known = input.audio(positionSamples, sampleCount, inputRateHz, this.#phase === 'back');
    // Each message has a buffer of its own, so the samples can be kept without copying them.
    const rest = known === 0 ? pcm : pcm.subarray(known * BYTES_PER_SAMPLE);
    if (rest.byteLength > 0)
      this.#input.submit({ type: 'audio', audio: AudioChunk.fromPcm(rest, inputRateHz) });
    this.#tellTaken();
  }

  /** Only who may come back keeps what has not arrived. */
  #tellTaken(): void {
    const { input } = this.#recovery;
    if (!this.#isWelcomed || this.#options.limits.clientGraceMs === 0) return;
    if (input.takeTurnToTell()) this.#socket.send(encodeServerMessage({ type: 'taken', ...input.taken }));
  }

  #breakOff(message: string): void {
    this.#helloTimer?.cancel();
    this.#owner.broken({ tag: 'protocolError', message });
  }
}
