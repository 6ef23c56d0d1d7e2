import { createHash } from 'node:crypto';
import { MAX_RATE_HZ, MIN_RATE_HZ } from '../../../../speech/index.ts';
import type { CloseFrame } from '../../close-frame.ts';
import type { JsonObject } from '../../json-object.ts';
import { deepgramWire, readDeepgramMessage } from '../deepgram-wire.ts';
import { IdleWatch } from '../idle-watch.ts';
import type { BadRequest } from '../speech-wire.ts';
import type { AudioEncoding } from './audio-input.ts';
import { CONFIDENCE, SttSession, seconds } from './stt-session.ts';
import type { AudioFormat, SttPort } from './stt-session.ts';
import type { SpokenWord, Transcript } from './transcript.ts';

/** The closes of the service that its documentation names. */
export const DEEPGRAM_CLOSES = {
  /** Neither audio nor a KeepAlive for ten seconds. */
  noData: { code: 1011, reason: 'NET-0001' },
  /** No text was produced in time. */
  noText: { code: 1011, reason: 'NET-0000' },
  undecodable: { code: 1008, reason: 'DATA-0000' },
} as const satisfies Record<string, CloseFrame>;

export const deepgramSttWire = deepgramWire('deepgram');

/** What a client asks for in its query, in the names of the service. */
interface DeepgramQuery extends AudioFormat {
  readonly interimResults: boolean;
  readonly vadEvents: boolean;
}

const ENCODINGS = new Map<string, AudioEncoding>([
  ['linear16', 'linear16'],
  ['mulaw', 'mulaw'],
]);

/** Usual rates where the query names none. */
const USUAL_RATE_HZ: Readonly<Record<AudioEncoding, number>> = { linear16: 16_000, mulaw: 8_000 };

/** What is wrong with a query; undefined: nothing. */
export function checkDeepgramQuery(query: URLSearchParams): BadRequest | undefined {
  const encoding = query.get('encoding');
  if (encoding !== null && !ENCODINGS.has(encoding)) {
    return { status: 400, message: `The emulator hears linear16 and mulaw, and not '${encoding}'.` };
  }
  if ((query.get('channels') ?? '1') !== '1') {
    return { status: 400, message: 'The emulator hears one channel.' };
  }
  const rate = query.get('sample_rate');
  const rateHz = Number(rate);
  if (rate !== null && !(Number.isInteger(rateHz) && rateHz >= MIN_RATE_HZ && rateHz <= MAX_RATE_HZ)) {
    return { status: 400, message: `'${rate}' is no sample rate.` };
  }
  return undefined;
}

function readQuery(query: URLSearchParams): DeepgramQuery {
  const encoding = ENCODINGS.get(query.get('encoding') ?? '') ?? 'linear16';
  const numberAt = (name: string): number | undefined => {
    const value = Number(query.get(name) ?? Number.NaN);
    return value > 0 ? value : undefined;
  };
  return {
    encoding,
    rateHz: numberAt('sample_rate') ?? USUAL_RATE_HZ[encoding],
    endpointingMs: numberAt('endpointing'),
    utteranceEndMs: numberAt('utterance_end_ms'),
    interimResults: query.get('interim_results') === 'true',
    vadEvents: query.get('vad_events') === 'true',
  };
}

/** A session on Deepgram's wire: audio in binary frames, everything else in text. */
export class DeepgramSession extends SttSession {
  readonly #query: DeepgramQuery;
  readonly #model: string;
  readonly #sha256 = createHash('sha256');
  #idle: IdleWatch | undefined;

  constructor(port: SttPort, query: URLSearchParams) {
    super(port);
    this.#query = readQuery(query);
    this.#model = query.get('model') ?? 'base';
  }

  open(): void {
    const { scope, profile, record } = this.port;
    if (!this.port.reached('create')) return;
    this.listen(this.#query);
    this.#idle = new IdleWatch(scope, 'idle', profile.deepgramIdleMs, () =>
      this.closeIdle(DEEPGRAM_CLOSES.noData),
    );
    record.ready();
    this.port.reached('ready');
  }

  take(data: Buffer, isBinary: boolean): void {
    const type = isBinary ? 'binary' : readDeepgramMessage(data).type;
    this.port.record.took(type);
    if (this.isEnded && type !== 'CloseStream') return;
    switch (type) {
      case 'binary':
        this.#takeAudio(data);
        break;
      case 'KeepAlive':
        this.port.record.keptAlive();
        this.#idle?.touch();
        break;
      case 'Finalize':
        this.#finalize();
        break;
      case 'CloseStream':
        this.end();
        break;
      default:
        this.port.send(deepgramSttWire.errorMessage('DATA-0000', `There is no message '${type}'.`));
    }
  }

  speechStarted(atMs: number): void {
    if (!this.#query.vadEvents) return;
    this.port.send({ type: 'SpeechStarted', channel: [0], timestamp: seconds(atMs) });
  }

  utteranceEnded(lastWordEndMs: number): void {
    this.port.send({ type: 'UtteranceEnd', channel: [0, 1], last_word_end: seconds(lastWordEndMs) });
  }

  protected tell(transcript: Transcript): void {
    const { stage, text, words, startMs, endMs, endsSpeech, finalized } = transcript;
    if (stage === 'preflight' || (stage === 'interim' && !this.#query.interimResults)) return;
    this.port.send({
      type: 'Results',
      channel_index: [0, 1],
      start: seconds(startMs),
      duration: seconds(endMs - startMs),
      is_final: stage === 'final',
      speech_final: endsSpeech,
      ...(finalized ? { from_finalize: true } : {}),
      channel: {
        alternatives: [
          { transcript: text, confidence: text === '' ? 0 : CONFIDENCE, words: words.map(writeWord) },
        ],
      },
      metadata: { request_id: this.port.id, model_info: { name: this.#model } },
    });
  }

  protected sayEnd(): void {
    this.port.send({
      type: 'Metadata',
      request_id: this.port.id,
      sha256: this.#sha256.copy().digest('hex'),
      created: new Date(this.port.scope.clock.wallTime()).toISOString(),
      duration: seconds(this.audioMs),
      channels: 1,
    });
    if (this.port.reached('ended')) this.port.closeWith({ code: 1000 });
  }

  #takeAudio(data: Buffer): void {
    this.#idle?.touch();
    // As its documentation warns: an empty frame ends the stream.
    if (data.byteLength === 0) {
      this.end();
      return;
    }
    this.#sha256.update(data);
    this.hear(data);
  }

  #finalize(): void {
    this.port.record.finalizeRequested();
    if (!this.port.reached('finalize') || this.finalize()) return;
    const endMs = this.audioMs;
    const nothing = { text: '', words: [], startMs: endMs, endMs } as const;
    this.tell({ stage: 'final', ...nothing, endsSpeech: false, finalized: true });
  }
}

function writeWord({ word, startMs, endMs }: SpokenWord): JsonObject {
  return {
    word: word.toLowerCase().replaceAll(/[.,!?;:]/g, ''),
    start: seconds(startMs),
    end: seconds(endMs),
    confidence: CONFIDENCE,
    punctuated_word: word,
  };
}
