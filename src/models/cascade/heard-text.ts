import type { TimedWord } from '../../speech/index.ts';

/**
 * What of a text was heard when its audio was stopped after `heardMs` (clause S4): by the places of its words where the
 * voice told them, otherwise by proportion, up to the end of a word.
 */
export function heardText(
  text: string,
  words: readonly TimedWord[],
  heardMs: number,
  audioMs: number,
): string {
  if (heardMs >= audioMs) return text;
  if (words.length > 0) return byWords(text, words, heardMs);
  const length = Math.floor((text.length * Math.max(0, heardMs)) / Math.max(1, audioMs));
  const space = text.indexOf(' ', length);
  return length === 0 ? '' : text.slice(0, space === -1 ? text.length : space).trimEnd();
}

/** A word counts as heard when half of it was. The words are looked up in the text, which has the punctuation. */
function byWords(text: string, words: readonly TimedWord[], heardMs: number): string {
  let end = 0;
  for (const { text: word, startMs, endMs } of words) {
    if ((startMs + endMs) / 2 > heardMs) break;
    const at = text.indexOf(word, end);
    if (at !== -1) end = at + word.length;
  }
  return text.slice(0, end).trimEnd();
}
