import type { SttOutput } from '../../speech/index.ts';

export type Transcript = Extract<SttOutput, { readonly type: 'transcript' }>;

/** Times of one word, told twice, differ by less; two words said one after the other are further apart. */
export const SAME_PLACE_MS = 250;

/** How many finals are remembered: what is told twice is told twice soon. */
const REMEMBERED = 16;

interface Told {
  readonly words: string;
  readonly startMs: number | undefined;
  readonly endMs: number | undefined;
  /** It was the last that was heard of an utterance, taken as final because its end came without a final. */
  readonly isStandIn: boolean;
}

/** Remembers what was told as final, so that nothing the user said once is told twice. Times are those of the stream. */
export class ToldFinals {
  readonly #told: Told[] = [];

  /** Whether it has been told: the same words in the same place, or what a stand-in stood for. */
  has(transcript: Transcript): boolean {
    const { startMs, endMs } = placeOf(transcript);
    const words = plain(transcript.text);
    return this.#told.some((told) => {
      if (endMs === undefined || told.endMs === undefined)
        return told.isStandIn && told === this.#told.at(-1) && told.words === words;
      // A final that knows more words than what stood for it is told: better some of it twice than a word never.
      if (told.isStandIn) return overlaps(told, startMs) && countOf(words) <= countOf(told.words);
      return told.words === words && Math.abs(endMs - told.endMs) <= SAME_PLACE_MS;
    });
  }

  add(transcript: Transcript, isStandIn: boolean): void {
    this.#told.push({ words: plain(transcript.text), ...placeOf(transcript), isStandIn });
    if (this.#told.length > REMEMBERED) this.#told.shift();
  }
}

/** Where in the audio a transcript lies: as it says, or as its words do. */
export function placeOf({ startMs, endMs, words }: Transcript): {
  readonly startMs: number | undefined;
  readonly endMs: number | undefined;
} {
  return { startMs: startMs ?? words?.[0]?.startMs, endMs: endMs ?? words?.at(-1)?.endMs };
}

function overlaps({ startMs, endMs }: Told, otherStartMs: number | undefined): boolean {
  if (otherStartMs === undefined || endMs === undefined) return true;
  return otherStartMs < endMs && otherStartMs >= (startMs ?? 0) - SAME_PLACE_MS;
}

function countOf(words: string): number {
  return words.split(' ').length;
}

/** The words without what recognisers put around them: the second time a comma may be a full stop. */
export function plain(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[\p{P}\p{S}]+/gu, '')
    .replaceAll(/\s+/g, ' ')
    .trim();
}
