import { MAX_RATE_HZ, MIN_RATE_HZ } from '../../../../speech/index.ts';
import { BYTES_PER_SAMPLE, encodeBase64 } from '../../../../protocol/index.ts';
import type { CloseFrame } from '../../close-frame.ts';
import { textAt } from '../../json-object.ts';
import type { JsonObject } from '../../json-object.ts';
import { deepgramWire, readDeepgramMessage } from '../deepgram-wire.ts';
import type { BadRequest } from '../speech-wire.ts';
import { Speaker, strayAudio } from './speaker.ts';
import type { TtsPort } from './tts-port.ts';

export const deepgramTtsWire = deepgramWire('deepgram-tts');

/** Longest text of one Speak, in characters, as the documentation says. */
export const MAX_SPEAK_CHARACTERS = 2_000;

/** Flushes in one window; one more is refused with a warning, as the documentation says. */
export const MOST_FLUSHES = 20;

/** The window they are counted in, in milliseconds. */
export const FLUSH_WINDOW_MS = 60_000;

/** The closes of the service that its documentation names. */
const CLOSES = {
  notText: { code: 1003, reason: 'MESSAGE-0000' },
  noCommand: { code: 1008, reason: 'DATA-0000' },
  tooLong: { code: 1009, reason: 'BIG-0001' },
} as const satisfies Record<string, CloseFrame>;

const USUAL_RATE_HZ = 24_000;

/** What is wrong with a query; undefined: nothing. */
export function checkDeepgramTtsQuery(query: URLSearchParams): BadRequest | undefined {
  const encoding = query.get('encoding') ?? 'linear16';
  if (encoding !== 'linear16') {
    return { status: 400, message: `The emulator speaks linear16, and not '${encoding}'.` };
  }
  const rateHz = rateOf(query);
  if (Number.isInteger(rateHz) && rateHz >= MIN_RATE_HZ && rateHz <= MAX_RATE_HZ) return undefined;
  return { status: 400, message: `'${query.get('sample_rate')}' is no sample rate.` };
}

function rateOf(query: URLSearchParams): number {
  return Number(query.get('sample_rate') ?? USUAL_RATE_HZ);
}

/** A message of this wire that goes out as bytes: what it holds is the audio. */
export function deepgramTtsFrame({ type, audio }: JsonObject): Buffer | undefined {
  return type === 'Audio' && typeof audio === 'string' ? Buffer.from(audio, 'base64') : undefined;
}

/** - `open`. - `ending`: Close came, what was given is spoken to its end, and nothing that comes counts. - `over`. */
type State = 'open' | 'ending' | 'over';

/**
 * Text-to-speech on Deepgram's wire: text as JSON, audio in binary frames. Nothing is spoken before it is flushed, as the
 * service was measured to do.
 */
export class DeepgramTtsSession {
  readonly #port: TtsPort;
  readonly #rateHz: number;
  readonly #model: string;
  #speaker: Speaker;
  #state: State = 'open';
  /** What no flush has asked for yet. */
  #pending = '';
  #flushedAtMs: number[] = [];
  #sequence = 0;

  constructor(port: TtsPort, query: URLSearchParams) {
    this.#port = port;
    this.#rateHz = rateOf(query);
    this.#model = query.get('model') ?? 'aura-asteria-en';
    this.#speaker = this.#makeSpeaker();
  }

  /** The WebSocket is open. */
  open(): void {
    if (!this.#port.reached('create')) return;
    this.#port.send({ type: 'Metadata', request_id: this.#port.id, model_name: this.#model });
    this.#port.record.ready();
    this.#port.reached('ready');
  }

  take(data: Buffer, isBinary: boolean): void {
    const { type, message } = isBinary ? { type: 'binary', message: {} } : readDeepgramMessage(data);
    this.#port.record.took(type);
    if (this.#state !== 'open' && type !== 'Close') return;
    switch (type) {
      case 'Speak':
        this.#takeText(textAt(message, 'text') ?? '');
        break;
      case 'Flush':
        this.#flush();
        break;
      case 'Clear':
        this.#clear();
        break;
      case 'Close':
        this.#end();
        break;
      default:
        this.#port.closeWith(isBinary ? CLOSES.notText : CLOSES.noCommand);
    }
  }

  /** Sends audio that belongs to nothing. */
  strayAudio(ms: number): void {
    if (this.#state === 'over') return;
    this.#port.sendPastFaults(audioMessage(strayAudio(ms, this.#rateHz)));
  }

  stop(): void {
    this.#state = 'over';
    this.#speaker.stop();
  }

  #makeSpeaker(): Speaker {
    const { scope, profile, record } = this.#port;
    return new Speaker(
      scope,
      { rateHz: this.#rateHz, speed: 1, generationSpeed: profile.pace },
      {
        speaking: () => this.#port.reached('speech'),
        audio: (bytes) => {
          record.spoke((bytes.byteLength / BYTES_PER_SAMPLE / this.#rateHz) * 1000);
          if (this.#port.reached('audio')) this.#port.send(audioMessage(this.#port.taken(bytes)));
        },
        finished: () => this.#finished(),
      },
    );
  }

  #takeText(text: string): void {
    if (text.length > MAX_SPEAK_CHARACTERS) {
      this.#port.closeWith(CLOSES.tooLong);
      return;
    }
    this.#port.record.text(text);
    if (this.#port.reached('text')) this.#pending += text;
  }

  #flush(): void {
    this.#port.record.flushed();
    if (!this.#port.reached('flush')) return;
    if (!this.#mayFlush()) {
      this.#port.send({
        type: 'Warning',
        warn_code: 'EXCESSIVE_FLUSH',
        warn_msg: 'The emulator takes no more flushes for a while.',
      });
      return;
    }
    this.#speakPending();
    this.#speaker.flush();
  }

  #mayFlush(): boolean {
    const { scope, profile } = this.#port;
    const nowMs = scope.clock.now();
    const sinceMs = nowMs - FLUSH_WINDOW_MS / profile.timeScale;
    this.#flushedAtMs = this.#flushedAtMs.filter((atMs) => atMs > sinceMs);
    if (this.#flushedAtMs.length >= MOST_FLUSHES) return false;
    this.#flushedAtMs.push(nowMs);
    return true;
  }

  #speakPending(): void {
    const rest = this.#pending;
    this.#pending = '';
    this.#speaker.speak(rest);
  }

  /** Forgets texts and audio. A flush that was not answered is not. */
  #clear(): void {
    this.#port.record.cleared();
    if (!this.#port.reached('clear')) return;
    this.#pending = '';
    this.#speaker.stop();
    this.#speaker = this.#makeSpeaker();
    this.#port.send({ type: 'Cleared', sequence_id: this.#nextSequence() });
  }

  #finished(): void {
    this.#port.send({ type: 'Flushed', sequence_id: this.#nextSequence() });
    this.#port.record.finish();
    this.#port.reached('done');
    this.#closeWhenIdle();
  }

  #end(): void {
    this.#port.record.endRequested();
    if (this.#state !== 'open') return;
    this.#state = 'ending';
    if (!this.#port.reached('end')) {
      // It hangs: nothing more is spoken, and nobody is told.
      this.stop();
      return;
    }
    if (this.#pending === '') {
      this.#closeWhenIdle();
      return;
    }
    this.#speakPending();
    this.#speaker.flush();
  }

  #closeWhenIdle(): void {
    if (this.#state !== 'ending' || !this.#speaker.isIdle) return;
    if (this.#port.reached('ended')) this.#port.closeWith({ code: 1000 });
    this.stop();
  }

  #nextSequence(): number {
    const sequence = this.#sequence;
    this.#sequence += 1;
    return sequence;
  }
}

function audioMessage(bytes: Buffer): JsonObject {
  return { type: 'Audio', audio: encodeBase64(bytes) };
}
