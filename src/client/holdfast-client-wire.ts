import {
  AudioChunk,
  HOLDFAST_PROTOCOL,
  HOLDFAST_SUBPROTOCOL,
  decodeAudioFrame,
  encodeAudioFrame,
  encodeClientMessage,
  parseServerMessage,
} from '../protocol/index.ts';
import type { LiveRequest, ResumeRequest } from '../protocol/index.ts';
import { UNREADABLE_MESSAGE_CODE } from './client-wire.ts';
import type { ClientWire, Incoming } from './client-wire.ts';

/** `holdfast.v1`, from the client's side: it counts the samples sent and knows the rate of those received. */
export class HoldfastClientWire implements ClientWire {
  readonly subprotocols = [HOLDFAST_SUBPROTOCOL];
  #sentSamples = 0;
  #outputRateHz: number | undefined;
  readonly #maxMessageBytes: number;

  constructor(maxMessageBytes: number) {
    this.#maxMessageBytes = maxMessageBytes;
  }

  get sentSamples(): number {
    return this.#sentSamples;
  }

  greeting(resume: ResumeRequest | undefined): string {
    return encodeClientMessage({
      type: 'hello',
      protocol: HOLDFAST_PROTOCOL,
      ...(resume === undefined ? {} : { resume }),
    });
  }

  audio(pcm: Uint8Array): Uint8Array<ArrayBuffer> {
    const frame = encodeAudioFrame('input', this.#sentSamples, pcm);
    this.#sentSamples += pcm.byteLength / 2;
    return frame;
  }

  request(request: Exclude<LiveRequest, { readonly type: 'audio' }>): string {
    return encodeClientMessage(request);
  }

  ack(seq: number): string {
    return encodeClientMessage({ type: 'ack', seq });
  }

  playout(positionSamples: number): string {
    return encodeClientMessage({ type: 'playout', positionSamples });
  }

  ping(): string {
    return encodeClientMessage({ type: 'ping' });
  }

  receive(data: string | Uint8Array, deliver: (incoming: Incoming) => void): void {
    if (typeof data !== 'string') {
      this.#receiveAudio(data, deliver);
      return;
    }
    const parsed = parseServerMessage(data, { maxMessageBytes: this.#maxMessageBytes });
    if (!parsed.ok) {
      deliver(unreadable(parsed.reason));
      return;
    }
    const message = parsed.value;
    switch (message.type) {
      case 'hello':
        this.#outputRateHz = message.output.rateHz;
        deliver({ type: 'hello', hello: message });
        break;
      case 'event':
        deliver({ type: 'event', event: message.event });
        break;
      case 'goAway': {
        const { timeLeftMs, reconnect } = message;
        deliver({ type: 'goAway', goAway: { timeLeftMs, reconnect } });
        break;
      }
      case 'error':
        deliver({ type: 'error', error: { code: message.code, message: message.message } });
        break;
      case 'taken': {
        const { positionSamples, messages } = message;
        deliver({ type: 'taken', taken: { positionSamples, messages } });
        break;
      }
      case 'audioDropped': {
        const { positionSamples, samples } = message;
        deliver({ type: 'audioDropped', dropped: { positionSamples, samples } });
        break;
      }
      case 'pong':
        break;
    }
  }

  #receiveAudio(data: Uint8Array, deliver: (incoming: Incoming) => void): void {
    const frame = decodeAudioFrame(data);
    if (frame?.kind !== 'output' || this.#outputRateHz === undefined) {
      deliver(unreadable('The server sent a binary frame that is no audio, or audio before its hello.'));
      return;
    }
    const { pcm, positionSamples } = frame;
    const { samples, rateHz } = AudioChunk.fromPcm(pcm, this.#outputRateHz);
    deliver({ type: 'audio', audio: { samples, positionSamples, rateHz } });
  }
}

function unreadable(message: string): Incoming {
  return { type: 'error', error: { code: UNREADABLE_MESSAGE_CODE, message } };
}
