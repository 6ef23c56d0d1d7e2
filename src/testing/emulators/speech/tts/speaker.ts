import type { Lifetime } from '../../../../kernel/index.ts';
import { AnswerPacer, CHUNK_MS } from '../../answer-pacer.ts';
import { WordVoice } from './word-voice.ts';
import type { VoicedWord } from './word-voice.ts';

/** Where speech goes. */
export interface SpeakerSink {
  /** A text is about to be spoken; its words, in milliseconds of what was spoken since the last `finished`. False: it is not. */
  speaking(words: readonly VoicedWord[]): boolean;
  /** The next chunk, as bytes of PCM16. */
  audio(bytes: Buffer): void;
  /** Everything up to a flush was spoken. */
  finished(): void;
}

type Item = { readonly tag: 'text'; readonly text: string } | { readonly tag: 'flush' };

/** Speaks texts one after the other, at the pace of the service. */
export class Speaker {
  readonly #rateHz: number;
  readonly #speed: number;
  readonly #sink: SpeakerSink;
  readonly #pacer: AnswerPacer;
  readonly #queue: Item[] = [];
  #busy = false;
  #spokenMs = 0;

  constructor(
    scope: Lifetime,
    format: { readonly rateHz: number; readonly speed: number; readonly generationSpeed: number },
    sink: SpeakerSink,
  ) {
    this.#rateHz = format.rateHz;
    this.#speed = format.speed;
    this.#sink = sink;
    this.#pacer = new AnswerPacer(scope, { generationSpeed: format.generationSpeed, playbackSpeed: 1 });
  }

  /** Whether nothing is spoken, and nothing waits. */
  get isIdle(): boolean {
    return !this.#busy && this.#queue.length === 0;
  }

  speak(text: string): void {
    this.#queue.push({ tag: 'text', text });
    this.#next();
  }

  /** Says `finished` when all that was given so far is spoken. */
  flush(): void {
    this.#queue.push({ tag: 'flush' });
    this.#next();
  }

  stop(): void {
    this.#queue.length = 0;
    this.#pacer.stop();
  }

  #next(): void {
    while (!this.#busy) {
      const item = this.#queue.shift();
      if (item === undefined) return;
      if (item.tag === 'text') this.#begin(item.text);
      else {
        this.#spokenMs = 0;
        this.#sink.finished();
      }
    }
  }

  #begin(text: string): void {
    const voice = new WordVoice(text, this.#rateHz, this.#speed);
    const fromMs = this.#spokenMs;
    const words = voice.words.map((word) => ({
      ...word,
      startMs: word.startMs + fromMs,
      endMs: word.endMs + fromMs,
    }));
    if (voice.finished || !this.#sink.speaking(words)) return;
    const chunkSamples = Math.round((CHUNK_MS * this.#rateHz) / 1000);
    this.#busy = true;
    this.#pacer.speak({
      durationMs: voice.durationMs,
      speakNext: () => {
        this.#sink.audio(bytesOf(voice.next(chunkSamples)));
        return !voice.finished;
      },
      spoken: () => {
        this.#spokenMs += voice.durationMs;
        this.#busy = false;
        this.#next();
      },
    });
  }
}

/** A tone of this length, to be sent where none belongs. */
export function strayAudio(ms: number, rateHz: number): Buffer {
  const voice = new WordVoice('stray', rateHz);
  const samples = new Int16Array(Math.round((ms * rateHz) / 1000));
  samples.set(voice.next(samples.length));
  return bytesOf(samples);
}

function bytesOf(samples: Int16Array): Buffer {
  return Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
}
