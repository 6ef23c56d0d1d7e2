import { CHARACTER_MS, toneSample } from '../tone.ts';
import { ANSWER_CHUNK_SAMPLES, ANSWER_RATE_HZ } from '../../../speech/index.ts';

/** Long enough to interrupt, short enough to wait for. */
const SHORTEST_MS = 400;
const LONGEST_MS = 6_000;
/** The pitch of a low voice, in hertz. */
const PITCH_HZ = 160;

/** A text as audio: a hum as long as reading it aloud would take. It makes no attempt at words; transcripts do. */
export class ToneVoice {
  readonly #totalSamples: number;
  #spoken = 0;

  constructor(text: string) {
    const durationMs = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, text.length * CHARACTER_MS));
    this.#totalSamples = Math.round((durationMs * ANSWER_RATE_HZ) / 1000);
  }

  get durationMs(): number {
    return (this.#totalSamples * 1000) / ANSWER_RATE_HZ;
  }

  get finished(): boolean {
    return this.#spoken === this.#totalSamples;
  }

  nextChunk(): Int16Array {
    const chunk = new Int16Array(Math.min(ANSWER_CHUNK_SAMPLES, this.#totalSamples - this.#spoken));
    for (let index = 0; index < chunk.length; index += 1) {
      chunk[index] = toneSample(this.#spoken + index, ANSWER_RATE_HZ, PITCH_HZ);
    }
    this.#spoken += chunk.length;
    return chunk;
  }
}
