import { Resampler } from './resample.ts';
import { SampleFifo } from './sample-fifo.ts';

/** The rate of spoken answers, in hertz: that of Gemini Live and of the OpenAI Realtime API. */
export const ANSWER_RATE_HZ = 24_000;

/** Samples of one chunk of an answer: 40 ms, 1 920 bytes. Small enough to stop at once, a quarter of the messages of 10 ms. */
export const ANSWER_CHUNK_SAMPLES = 960;

/**
 * What was heard, on its way back: resampled chunk by chunk as it is asked for, so that the end of a long
 * utterance does not hold the thread.
 */
export class EchoAnswer {
  /** What the transcripts say of it. */
  readonly description: string;
  /** Samples of the whole answer at {@link ANSWER_RATE_HZ}. */
  readonly totalSamples: number;
  readonly #heard: Int16Array;
  readonly #resampler: Resampler;
  /** Heard samples that make about one chunk. */
  readonly #stepSamples: number;
  readonly #ready = new SampleFifo();
  #taken = 0;
  #given = 0;

  constructor(heard: Int16Array, rateHz: number, description: string) {
    this.description = description;
    this.totalSamples = Math.round((heard.length * ANSWER_RATE_HZ) / rateHz);
    this.#heard = heard;
    this.#resampler = new Resampler(rateHz, ANSWER_RATE_HZ);
    this.#stepSamples = Math.ceil((ANSWER_CHUNK_SAMPLES * rateHz) / ANSWER_RATE_HZ);
  }

  /** How long it takes to play the whole answer, in milliseconds. */
  get durationMs(): number {
    return (this.totalSamples * 1000) / ANSWER_RATE_HZ;
  }

  /** Whether every chunk was given. */
  get finished(): boolean {
    return this.#given === this.totalSamples;
  }

  /** The next {@link ANSWER_CHUNK_SAMPLES}, fewer at the end, none after it. */
  nextChunk(): Int16Array {
    while (this.#ready.length < ANSWER_CHUNK_SAMPLES && this.#taken < this.#heard.length) {
      const step = this.#heard.subarray(this.#taken, this.#taken + this.#stepSamples);
      this.#taken += step.length;
      this.#ready.push(this.#resampler.process(step));
      if (this.#taken === this.#heard.length) this.#ready.push(this.#resampler.flush());
    }
    const chunk = this.#ready.shift(ANSWER_CHUNK_SAMPLES);
    this.#given += chunk.length;
    return chunk;
  }
}
