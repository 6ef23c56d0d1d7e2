import { BYTES_PER_SAMPLE, encodeBase64 } from '../../../protocol/index.ts';
import type { SttInput, SttSetup, TimedWord } from '../../../speech/index.ts';
import { asList, asObject, asText } from '../../json-shape.ts';
import type { JsonObject } from '../../json-shape.ts';
import { USUAL_REFUSALS } from '../../streaming/end-rows.ts';
import type { EndTables } from '../../streaming/end-rows.ts';
import type { SendFrame } from '../../streaming/stream-wire.ts';
import { confidenceOf, millisecondsOf } from '../stt-wire.ts';
import type { SttListener, SttWire } from '../stt-wire.ts';

/** How much audio goes into one message, as the vendor's own clients send it. */
export const GATEWAY_CHUNK_MS = 50;

/** What the gateway's ends mean. The numbers of its error messages are HTTP's where they mean what HTTP means. */
export const GATEWAY_STT_ENDS: EndTables = {
  closes: [
    // The providers behind it recycle the connections of who says nothing.
    { said: /idle|inactivity|NET-0001/i, kind: 'idle' },
    { code: 1008, said: /auth|credential|\btoken\b|permission/i, kind: 'authentication' },
    { code: 1013, kind: 'overloaded' },
  ],
  refusals: USUAL_REFUSALS,
  errors: [
    // Nothing was sent for half an hour. It is a number of the gateway's own, and no close code.
    { code: 2007, kind: 'idle' },
    ...USUAL_REFUSALS,
  ],
};

/** What one connection asks of the gateway. */
export interface GatewaySttSettings {
  readonly model: string | undefined;
  readonly extra: Readonly<Record<string, unknown>>;
}

/** Frames of the inference gateway's wire for speech to text: JSON both ways, audio in base64. */
export class GatewaySttWire implements SttWire {
  readonly opening: string;
  readonly #chunkBytes: number;
  /** Audio that is less than a chunk. */
  readonly #held: Uint8Array;
  #heldBytes = 0;

  constructor({ rateHz, languageCode }: SttSetup, { model, extra }: GatewaySttSettings) {
    const settings = {
      // The gateway takes a number here as text only.
      sample_rate: String(rateHz),
      encoding: 'pcm_s16le',
      ...(languageCode === undefined ? {} : { language: languageCode }),
      extra,
    };
    this.opening = JSON.stringify({
      type: 'session.create',
      ...(model === undefined ? {} : { model }),
      settings,
    });
    this.#chunkBytes = Math.max(1, Math.round((rateHz * GATEWAY_CHUNK_MS) / 1_000)) * BYTES_PER_SAMPLE;
    this.#held = new Uint8Array(this.#chunkBytes);
  }

  write(input: SttInput, send: SendFrame): boolean {
    if (input.type === 'finalize') {
      this.#flush(send);
      return send('{"type":"session.finalize"}');
    }
    const { pcm, sampleCount } = input.audio;
    return this.#writeAudio(pcm.subarray(0, sampleCount * BYTES_PER_SAMPLE), send);
  }

  goodbye(send: SendFrame): void {
    this.#flush(send);
    send('{"type":"session.close"}');
  }

  read(message: JsonObject, listener: SttListener): void {
    switch (message['type']) {
      case 'session.created':
        listener.ready();
        break;
      case 'start_of_speech':
        listener.output({ type: 'speechStarted', atMs: millisecondsOf(message['start']) });
        break;
      case 'interim_transcript':
      case 'preflight_transcript':
        readTranscript(message, false, listener);
        break;
      case 'final_transcript':
        readTranscript(message, true, listener);
        break;
      case 'session.finalized':
        listener.output({ type: 'finalized' });
        break;
      case 'session.closed':
        listener.finished();
        break;
      case 'error':
        readError(message, listener);
        break;
      default:
        listener.output({ type: 'unknown', message });
    }
  }

  #writeAudio(pcm: Uint8Array, send: SendFrame): boolean {
    let isTaken = true;
    for (let at = 0; at < pcm.byteLength;) {
      const piece = pcm.subarray(at, at + this.#chunkBytes - this.#heldBytes);
      this.#held.set(piece, this.#heldBytes);
      this.#heldBytes += piece.byteLength;
      at += piece.byteLength;
      if (this.#heldBytes === this.#chunkBytes) isTaken = this.#flush(send) && isTaken;
    }
    return isTaken;
  }

  #flush(send: SendFrame): boolean {
    if (this.#heldBytes === 0) return true;
    const audio = encodeBase64(this.#held.subarray(0, this.#heldBytes));
    this.#heldBytes = 0;
    return send(`{"type":"input_audio","audio":"${audio}"}`);
  }
}

function readTranscript(message: JsonObject, isFinal: boolean, listener: SttListener): void {
  const text = (asText(message['transcript']) ?? '').trim();
  if (text === '') return;
  const startMs = millisecondsOf(message['start']);
  const durationMs = millisecondsOf(message['duration']);
  // A provider behind the gateway that tells no times is passed on as nought.
  const isTimed = startMs !== undefined && durationMs !== undefined && durationMs > 0;
  listener.output({
    type: 'transcript',
    text,
    isFinal,
    languageCode: asText(message['language']),
    confidence: confidenceOf(message['confidence']),
    words: wordsOf(message['words']),
    ...(isTimed ? { startMs, endMs: startMs + durationMs } : {}),
  });
}

function readError(message: JsonObject, listener: SttListener): void {
  const { code } = message;
  const number = typeof code === 'string' && /^\d{1,6}$/.test(code) ? Number(code) : code;
  listener.failed(typeof number === 'number' ? number : undefined, asText(message['message']) ?? '');
}

function wordsOf(value: unknown): readonly TimedWord[] | undefined {
  return asList(value)?.flatMap((entry) => {
    const word = asObject(entry);
    const text = asText(word?.['word']);
    const startMs = millisecondsOf(word?.['start']);
    const endMs = millisecondsOf(word?.['end']);
    if (text === undefined || startMs === undefined || endMs === undefined) return [];
    return [{ text, startMs, endMs, confidence: confidenceOf(word?.['confidence']) }];
  });
}
