import type { TimedWord } from '../../speech/index.ts';

/** How fast a voice speaks, in characters a second, as long as nobody knows better: 150 to 170 words a minute. */
export const SPEAKING_CHARACTERS_PER_S = 15;

const WORD = /\S*[\p{L}\p{N}]\S*/gu;

/**
 * Where the words of a text probably are in its audio, for a voice that does not tell: each as far as its place in the
 * text. Of audio that is not whole yet, its length is estimated.
 */
export function probablePlaces(text: string, audioMs: number, isWhole: boolean): TimedWord[] {
  const estimateMs = (text.length * 1_000) / SPEAKING_CHARACTERS_PER_S;
  const totalMs = isWhole ? audioMs : Math.max(audioMs, estimateMs);
  const msOf = (index: number): number => (index / text.length) * totalMs;
  return Array.from(text.matchAll(WORD), ({ 0: word, index }) => ({
    text: word,
    startMs: msOf(index),
    endMs: msOf(index + word.length),
  }));
}
