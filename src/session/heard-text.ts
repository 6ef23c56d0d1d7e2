/** Where in the audio of an utterance a word is, from the first sample of the utterance. */
export interface SpokenWord {
  readonly text: string;
  readonly startMs: number;
  readonly endMs: number;
}

/** By what the part of a text that was heard was found: the places of its words, or its share of the audio. */
export type CutBy = 'words' | 'share';

export interface HeardText {
  readonly text: string;
  readonly by: CutBy;
}

/** The words that were heard to their end, of a text whose words are known by place. */
export function heardByWords(text: string, words: readonly SpokenWord[], heardMs: number): string {
  let end = 0;
  for (const word of words) {
    if (word.endMs > heardMs) break;
    const at = text.indexOf(word.text, end);
    if (at !== -1) end = at + word.text.length;
  }
  // What belongs to the last word stands right behind it: a comma, the end of a sentence.
  const behind = end === 0 ? undefined : /^[^\s\p{L}\p{N}]+/u.exec(text.slice(end));
  return text.slice(0, end + (behind?.[0].length ?? 0));
}

/** The words within the first `share` of a text: speech has about as many characters in every second. */
export function heardByShare(text: string, share: number): string {
  if (share >= 1) return text;
  const length = Math.floor(text.length * Math.max(0, share));
  if (length === 0) return '';
  // A word that was not heard to its end was not said.
  if (/\s/u.test(text[length] ?? ' ')) return text.slice(0, length).trimEnd();
  const lastSpace = text.slice(0, length).search(/\s\S*$/u);
  return lastSpace === -1 ? '' : text.slice(0, lastSpace).trimEnd();
}
