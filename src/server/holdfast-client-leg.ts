import type { Lifetime, Timer } from '../kernel/index.ts';
import {
  AudioChunk,
  BYTES_PER_SAMPLE,
  HOLDFAST_PROTOCOL,
  decodeAudioFrame,
  encodeAudioFrame,
  encodeServerMessage,
  parseClientMessage,
  requestOfClientMessage,
} from '../protocol/index.ts';
import type { ClientMessage, LiveEvent, SessionLimits } from '../protocol/index.ts';
import type { LiveRequestQueue } from '../session/index.ts';
import { ClientInput } from './client-leg.ts';
import type { ClientLeg, LegOwner, LegWelcome } from './client-leg.ts';
import type { ClientSocket } from './client-socket.ts';
import { holdfastGoodbye, wireErrorOf } from './leg-end.ts';
import type { LegEnd } from './leg-end.ts';

export interface HoldfastClientLegOptions {
  readonly socket: ClientSocket;
  readonly queue: LiveRequestQueue;
  readonly owner: LegOwner;
  readonly scope: Lifetime;
  /** The rate of the client's binary frames, as `hello` tells it. */
  readonly inputRateHz: number;
  readonly helloTimeoutMs: number;
  /** What the client is told to keep to. */
  readonly limits: SessionLimits;
  /** A secret for this client alone. */
  readonly resumeToken: string;
}

/** `greeting`: the client has not said hello yet. `greeted`: it has, and waits for ours. */
type Phase = 'greeting' | 'greeted' | 'welcomed';

/** The socket has refused what is too large. */
const ALREADY_MEASURED = { maxMessageBytes: Number.MAX_SAFE_INTEGER };

/** A client of `holdfast.v1`: small JSON messages, and audio in binary frames with its position. */
export class HoldfastClientLeg implements ClientLeg {
  readonly #options: HoldfastClientLegOptions;
  readonly #socket: ClientSocket;
  readonly #input: ClientInput;
  #phase: Phase = 'greeting';
  #helloTimer: Timer | undefined;
  /** A goAway that came before the client could be told. */
  #pendingGoAwayMs: number | undefined;

  constructor(options: HoldfastClientLegOptions) {
    const { socket, queue, owner, scope, helloTimeoutMs } = options;
    this.#options = options;
    this.#socket = socket;
    this.#input = new ClientInput(queue, ({ code, message }) => {
      this.#socket.send(encodeServerMessage({ type: 'error', code, message }));
    });
    this.#helloTimer = scope.timer('hello timeout', helloTimeoutMs, () => {
      owner.broken({ tag: 'protocolError', message: `no hello within ${helloTimeoutMs} ms` });
    });
    socket.listen({
      text: (text) => this.#text(text),
      binary: (bytes) => this.#binary(bytes),
      broken: (end) => owner.broken(end),
      gone: () => owner.gone(),
    });
  }

  welcome({ sessionId, appName, agentName, modelId, inputRateHz, outputRateHz }: LegWelcome): void {
    const { limits, resumeToken } = this.#options;
    this.#phase = 'welcomed';
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
        limits,
        resumeToken,
        recovered: false,
        seq: 0,
      }),
    );
    if (this.#pendingGoAwayMs !== undefined) this.goAway(this.#pendingGoAwayMs);
  }

  event(event: LiveEvent): void {
    if (event.type === 'audio') {
      const { sampleCount, pcm } = event.audio;
      // A model that sends half a sample, or none, has sent nothing that could be heard.
      if (sampleCount === 0) return;
      const wholeBytes = sampleCount * BYTES_PER_SAMPLE;
      const whole = pcm.byteLength === wholeBytes ? pcm : pcm.subarray(0, wholeBytes);
      this.#socket.send(encodeAudioFrame('output', event.positionSamples, whole));
    } else {
      this.#socket.send(encodeServerMessage({ type: 'event', event }));
    }
  }

  goAway(timeLeftMs: number): void {
    if (this.#phase === 'welcomed') {
      this.#socket.send(encodeServerMessage({ type: 'goAway', timeLeftMs, reconnect: true }));
    } else {
      this.#pendingGoAwayMs = timeLeftMs;
    }
  }

  end(end: LegEnd): void {
    if (end.tag === 'failed')
      this.#socket.send(encodeServerMessage({ type: 'error', ...wireErrorOf(end.error) }));
    this.#socket.goodbye = holdfastGoodbye(end);
  }

  #text(text: string): void {
    const parsed = parseClientMessage(text, ALREADY_MEASURED);
    if (!parsed.ok) {
      if (this.#phase === 'greeting') this.#breakOff(parsed.reason);
      else this.#input.refuse(parsed.reason);
    } else if (parsed.value.type === 'hello') {
      this.#hello();
    } else if (this.#phase === 'greeting') {
      this.#breakOff(`the first message must be hello, not ${parsed.value.type}`);
    } else {
      this.#message(parsed.value);
    }
  }

  #hello(): void {
    if (this.#phase !== 'greeting') {
      this.#input.refuse('Hello was said already.');
      return;
    }
    this.#helloTimer?.cancel();
    this.#phase = 'greeted';
    this.#options.owner.ready();
  }

  #message(message: ClientMessage): void {
    if (message.type === 'ping') {
      const { id } = message;
      this.#socket.send(encodeServerMessage({ type: 'pong', ...(id === undefined ? {} : { id }) }));
      return;
    }
    if (message.type === 'playout') {
      this.#options.owner.played(message.positionSamples);
      return;
    }
    const request = requestOfClientMessage(message);
    if (request !== undefined) this.#input.submit(request);
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
    // Each message has a buffer of its own, so the samples can be kept without copying them.
    const audio = AudioChunk.fromPcm(frame.pcm, this.#options.inputRateHz);
    this.#input.submit({ type: 'audio', audio });
  }

  #breakOff(message: string): void {
    this.#helloTimer?.cancel();
    this.#options.owner.broken({ tag: 'protocolError', message });
  }
}
