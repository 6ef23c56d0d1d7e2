import { AdkEventReader, AudioChunk, encodeAdkRequest } from '../protocol/index.ts';
import type { LiveRequest } from '../protocol/index.ts';
import { UNREADABLE_MESSAGE_CODE } from './client-wire.ts';
import type { ClientWire, Incoming } from './client-wire.ts';

/** The wire of the ADK api server, from the client's side. It has no greeting, no acknowledgement and no playout. */
export class AdkClientWire implements ClientWire {
  readonly subprotocols = [];
  readonly sentSamples = 0;
  readonly #reader: AdkEventReader;
  readonly #inputRateHz: number;

  constructor(inputRateHz: number, maxMessageBytes: number) {
    this.#inputRateHz = inputRateHz;
    this.#reader = new AdkEventReader({ maxMessageBytes });
  }

  greeting(): undefined {
    return undefined;
  }

  audio(pcm: Uint8Array): string {
    return encodeAdkRequest({ type: 'audio', audio: AudioChunk.fromPcm(pcm, this.#inputRateHz) });
  }

  request(request: Exclude<LiveRequest, { readonly type: 'audio' }>): string {
    return encodeAdkRequest(request);
  }

  ack(): undefined {
    return undefined;
  }

  playout(): undefined {
    return undefined;
  }

  ping(): undefined {
    return undefined;
  }

  receive(data: string | Uint8Array, deliver: (incoming: Incoming) => void): void {
    const read =
      typeof data === 'string'
        ? this.#reader.read(data)
        : ({
            ok: false,
            reason: 'The server sent a binary frame, which the ADK wire does not know.',
          } as const);
    if (!read.ok) {
      deliver({ type: 'error', error: { code: UNREADABLE_MESSAGE_CODE, message: read.reason } });
      return;
    }
    for (const reading of read.value) {
      if (reading.type !== 'event') deliver(reading);
      else if (reading.event.type === 'audio') {
        const { audio, positionSamples } = reading.event;
        const { samples, rateHz } = audio;
        deliver({ type: 'audio', audio: { samples, positionSamples, rateHz } });
      } else deliver({ type: 'event', event: reading.event });
    }
  }
}
