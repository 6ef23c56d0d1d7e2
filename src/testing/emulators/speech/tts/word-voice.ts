import { CHARACTER_MS, toneSample } from '../../tone.ts';

/** The shortest word, in milliseconds: long enough for its pitch to be measured. */
const SHORTEST_WORD_MS = 120;

/** The silence behind each word, in milliseconds: long enough to find its end, too short to end an utterance. */
export const WORD_GAP_MS = 80;

/** The pitches of words, all of which telephone audio can carry, and far enough apart to be told from each other. */
const LOWEST_PITCH_HZ = 300;
export const PITCH_STEP_HZ = 2;
const PITCHES = 600;

/** A word as it is spoken, in milliseconds from the beginning of its text. */
export interface VoicedWord {
  readonly word: string;
  readonly startMs: number;
  readonly endMs: number;
  /** Hertz; the same for the same word everywhere. */
  readonly pitchHz: number;
}

/**
 * The pitch a word is spoken at, in hertz: it follows from its letters and digits alone. There are some hundred pitches, so
 * that now and then two words have the same.
 */
export function wordPitchHz(word: string): number {
  let hash = 0x811c9dc5;
  for (const character of word.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, '')) {
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  }
  return LOWEST_PITCH_HZ + (hash % PITCHES) * PITCH_STEP_HZ;
}

/** When each word of a text is spoken. `speed` 2 is twice as fast. */
export function voiceWords(text: string, speed = 1): VoicedWord[] {
  let atMs = 0;
  return text
    .split(/\s+/)
    .filter((word) => word !== '')
    .map((word) => {
      const startMs = atMs;
      const endMs = startMs + Math.max(SHORTEST_WORD_MS, word.length * CHARACTER_MS) / speed;
      atMs = endMs + WORD_GAP_MS / speed;
      return { word, startMs, endMs, pitchHz: wordPitchHz(word) };
    });
}

/** A whole text as the text-to-speech emulator speaks it: PCM16, mono. For tests that need somebody to speak. */
export function speakWords(text: string, rateHz: number): Int16Array {
  const voice = new WordVoice(text, rateHz);
  return voice.next(voice.totalSamples);
}

/** A text as audio: a tone for each word and silence behind it, chunk by chunk as it is asked for. */
export class WordVoice {
  readonly words: readonly VoicedWord[];
  readonly durationMs: number;
  readonly totalSamples: number;
  readonly #rateHz: number;
  #spoken = 0;
  #word = 0;

  constructor(text: string, rateHz: number, speed = 1) {
    this.words = voiceWords(text, speed);
    this.#rateHz = rateHz;
    const lastMs = this.words.at(-1)?.endMs;
    this.durationMs = lastMs === undefined ? 0 : lastMs + WORD_GAP_MS / speed;
    this.totalSamples = this.#at(this.durationMs);
  }

  get finished(): boolean {
    return this.#spoken === this.totalSamples;
  }

  /** The next samples, at most so many. */
  next(most: number): Int16Array {
    const chunk = new Int16Array(Math.min(most, this.totalSamples - this.#spoken));
    for (let index = 0; index < chunk.length; index += 1) chunk[index] = this.#sample(this.#spoken + index);
    this.#spoken += chunk.length;
    return chunk;
  }

  #sample(position: number): number {
    let word = this.words[this.#word];
    while (word !== undefined && position >= this.#at(word.endMs)) {
      this.#word += 1;
      word = this.words[this.#word];
    }
    if (word === undefined) return 0;
    const from = this.#at(word.startMs);
    return position < from ? 0 : toneSample(position - from, this.#rateHz, word.pitchHz);
  }

  #at(ms: number): number {
    return Math.round((ms * this.#rateHz) / 1000);
  }
}
