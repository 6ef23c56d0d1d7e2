import { BYTES_PER_SAMPLE } from '../../../protocol/index.ts';
import type { SttInput, TimedWord } from '../../../speech/index.ts';
import { DEEPGRAM_CLOSE_ROWS, DEEPGRAM_ERROR_ROWS, deepgramSaid } from '../../deepgram-access.ts';
import { asList, asObject, asText } from '../../json-shape.ts';
import type { JsonObject } from '../../json-shape.ts';
import { USUAL_REFUSALS } from '../../streaming/end-rows.ts';
import type { EndTables } from '../../streaming/end-rows.ts';
import type { KeepAlive, SendFrame } from '../../streaming/stream-wire.ts';
import { confidenceOf, millisecondsOf } from '../stt-wire.ts';
import type { SttListener, SttWire } from '../stt-wire.ts';

/**
 * How often the service is told that somebody is there while no audio is sent: it closes after ten seconds without
 * either, and its documentation asks for one every three to five.
 */
export const DEEPGRAM_KEEP_ALIVE_MS = 4_000;

/** What the service's ends mean, as its documentation and its users tell. */
export const DEEPGRAM_ENDS: EndTables = {
  closes: [
    // Audio that cannot be decoded is what it is however often it is sent. Newer and older documentation.
    { code: 1008, said: /DATA-0000|decod/i, kind: 'invalid-request' },
    { code: 1002, said: /DATA-0000|decod/i, kind: 'invalid-request' },
    ...DEEPGRAM_CLOSE_ROWS,
  ],
  refusals: USUAL_REFUSALS,
  errors: [{ said: /DATA-0000|decod/i, kind: 'invalid-request' }, ...DEEPGRAM_ERROR_ROWS],
};

/** Frames of Deepgram's streaming wire: audio as bytes, all else as JSON. */
export class DeepgramWire implements SttWire {
  readonly opening = undefined;
  readonly keepAlive: KeepAlive = { everyMs: DEEPGRAM_KEEP_ALIVE_MS, frame: '{"type":"KeepAlive"}' };
  readonly #languageCode: string | undefined;
  /** Whether something was said since the last utterance ended: its end comes in two messages, or in one of them. */
  #isInUtterance = false;
  #hasSaidGoodbye = false;

  constructor(languageCode: string | undefined) {
    this.#languageCode = languageCode;
  }

  write(input: SttInput, send: SendFrame): boolean {
    if (input.type === 'finalize') return send('{"type":"Finalize"}');
    const { pcm, sampleCount } = input.audio;
    // An empty frame would be taken for the end of the stream.
    return sampleCount === 0 || send(pcm.subarray(0, sampleCount * BYTES_PER_SAMPLE));
  }

  goodbye(send: SendFrame): void {
    this.#hasSaidGoodbye = true;
    send('{"type":"CloseStream"}');
  }

  read(message: JsonObject, listener: SttListener): void {
    switch (message['type']) {
      case 'Results':
        this.#readResults(message, listener);
        break;
      case 'SpeechStarted':
        listener.output({ type: 'speechStarted', atMs: millisecondsOf(message['timestamp']) });
        break;
      case 'UtteranceEnd':
        this.#endUtterance(millisecondsOf(message['last_word_end']), listener);
        break;
      case 'Metadata':
        readMetadata(message, listener);
        if (this.#hasSaidGoodbye) listener.finished();
        break;
      case 'Error':
        listener.failed(undefined, deepgramSaid(message));
        break;
      default:
        listener.output({ type: 'unknown', message });
    }
  }

  #readResults(message: JsonObject, listener: SttListener): void {
    const best = asObject(asList(asObject(message['channel'])?.['alternatives'])?.[0]);
    const text = (asText(best?.['transcript']) ?? '').trim();
    const startMs = millisecondsOf(message['start']);
    const durationMs = millisecondsOf(message['duration']);
    const endMs = startMs === undefined || durationMs === undefined ? undefined : startMs + durationMs;
    // Silence is transcribed as well, and is no speech.
    if (best !== undefined && text !== '') {
      this.#isInUtterance = true;
      listener.output({
        type: 'transcript',
        text,
        isFinal: message['is_final'] === true,
        languageCode: asText(asList(best['languages'])?.[0]) ?? this.#languageCode,
        confidence: confidenceOf(best['confidence']),
        words: wordsOf(best['words']),
        startMs,
        endMs,
      });
    }
    if (message['speech_final'] === true) this.#endUtterance(endMs, listener);
    if (message['from_finalize'] === true) listener.output({ type: 'finalized' });
  }

  #endUtterance(atMs: number | undefined, listener: SttListener): void {
    if (!this.#isInUtterance) return;
    this.#isInUtterance = false;
    listener.output({ type: 'speechEnded', atMs });
  }
}

function readMetadata(message: JsonObject, listener: SttListener): void {
  const audioMs = millisecondsOf(message['duration']);
  if (audioMs !== undefined) listener.output({ type: 'usage', audioMs });
}

function wordsOf(value: unknown): readonly TimedWord[] | undefined {
  return asList(value)?.flatMap((entry) => {
    const word = asObject(entry);
    const text = asText(word?.['punctuated_word']) ?? asText(word?.['word']);
    const startMs = millisecondsOf(word?.['start']);
    const endMs = millisecondsOf(word?.['end']);
    if (text === undefined || startMs === undefined || endMs === undefined) return [];
    return [{ text, startMs, endMs, confidence: confidenceOf(word?.['confidence']) }];
  });
}
