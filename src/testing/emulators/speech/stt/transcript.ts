/** A word and when it was said, in milliseconds of the audio of its connection. */
export interface SpokenWord {
  readonly word: string;
  readonly startMs: number;
  readonly endMs: number;
}

/** What was understood of a stretch of speech, for any wire to write down. */
export interface Transcript {
  /** `interim`: may change; `preflight`: will most likely be the final one; `final`: stays as it is. */
  readonly stage: 'interim' | 'preflight' | 'final';
  readonly text: string;
  readonly words: readonly SpokenWord[];
  readonly startMs: number;
  readonly endMs: number;
  /** On a final: whether the speech has ended, or goes on with the next segment. */
  readonly endsSpeech: boolean;
  /** On a final: whether it is there because the client asked for it. */
  readonly finalized: boolean;
}

/** How long a word takes while nobody knows yet how long the speech will be, in milliseconds: a brisk talker's. */
const WORD_MS = 300;

/** What is said of speech for which there is no text: how much it was. */
export function describeSpeech(durationMs: number): string {
  return `(${(durationMs / 1000).toFixed(1)} s of speech)`;
}

/** The words of a text, spread evenly from `startMs` to `endMs`. */
export function spreadWords(words: readonly string[], startMs: number, endMs: number): SpokenWord[] {
  const eachMs = words.length === 0 ? 0 : (endMs - startMs) / words.length;
  return words.map((word, index) => ({
    word,
    startMs: startMs + index * eachMs,
    endMs: startMs + (index + 1) * eachMs,
  }));
}

export function wordsIn(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}

/** The first words that somebody who began at `startMs` will have said by `nowMs`. */
export function wordsSoFar(words: readonly string[], startMs: number, nowMs: number): string[] {
  return words.slice(0, Math.max(0, Math.floor((nowMs - startMs) / WORD_MS)));
}
