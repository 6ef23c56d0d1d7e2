import { InvalidOptionError } from '../kernel/index.ts';
import { SentenceEnd } from './sentence-end.ts';
import { SpokenText, isSpeakable } from './spoken-text.ts';

/** What is shorter is said together with what follows: a voice that begins anew for every word sounds chopped. */
export const MIN_SENTENCE_CHARACTERS = 20;

/**
 * The first words of an answer may end at a comma once they are this many characters, about two seconds of speech: the
 * voice begins while the rest is being written.
 */
export const FIRST_CLAUSE_CHARACTERS = 30;

/** What has no end by then is cut where it hurts least: half a minute of speech, and what every service takes. */
export const MAX_SENTENCE_CHARACTERS = 400;

export interface SentenceSplitterOptions {
  /** BCP 47. Only what a point after a number means depends on it. */
  readonly languageCode?: string | undefined;
  /** Default {@link MIN_SENTENCE_CHARACTERS}. The first sentence may be shorter. */
  readonly minCharacters?: number;
  /** Default {@link FIRST_CLAUSE_CHARACTERS}; `Infinity`: the first sentence is whole, however long it is. */
  readonly firstClauseCharacters?: number;
  /** Default {@link MAX_SENTENCE_CHARACTERS}. */
  readonly maxCharacters?: number;
  /** `spoken`: Markdown and emoji are taken out. Default `asIs`. */
  readonly text?: 'asIs' | 'spoken';
}

/** Where a sentence is cut that does not end: behind a part of it, else between two words. */
const CLAUSE_END = /[,;:](?=\s)|[，、；：]|\s[–—-](?=\s)/g;

/**
 * Makes sentences that can be spoken of a text that comes in pieces, as a language model writes it.
 *
 * A sentence is given as soon as it is known to have ended, which for most is with the space behind its point; the first
 * one may be a part of a sentence, so that the voice begins early. Nothing is lost and nothing changes its place; spaces
 * at the ends go, and what has neither letter nor digit is left out.
 *
 * ```ts
 * const splitter = new SentenceSplitter();
 * splitter.push('Dr. Who is in. Shall');   // ['Dr. Who is in.']
 * splitter.push(' I call?');               // []
 * splitter.flush();                        // ['Shall I call?']
 * ```
 */
export class SentenceSplitter {
  readonly #end: SentenceEnd;
  readonly #minCharacters: number;
  readonly #firstClauseCharacters: number;
  readonly #maxCharacters: number;
  #spoken: SpokenText | undefined;
  /** What no end was found in. */
  #text = '';
  /** Up to where there is none. */
  #searched = 0;
  /** Sentences too short to be said by themselves. */
  #short = '';
  #isLineStart = true;
  #isFirst = true;

  /** @throws InvalidOptionError for bounds that contradict one another. */
  constructor(options: SentenceSplitterOptions = {}) {
    this.#end = new SentenceEnd(options.languageCode);
    this.#minCharacters = options.minCharacters ?? MIN_SENTENCE_CHARACTERS;
    this.#firstClauseCharacters = options.firstClauseCharacters ?? FIRST_CLAUSE_CHARACTERS;
    this.#maxCharacters = options.maxCharacters ?? MAX_SENTENCE_CHARACTERS;
    this.#spoken = options.text === 'spoken' ? new SpokenText() : undefined;
    if (!(this.#minCharacters >= 0 && this.#firstClauseCharacters > 0 && this.#maxCharacters >= 2)) {
      throw new InvalidOptionError(
        'minCharacters must be 0 or more, firstClauseCharacters more than 0 and maxCharacters 2 or more.',
      );
    }
    if (this.#minCharacters > this.#maxCharacters) {
      throw new InvalidOptionError('minCharacters must not be more than maxCharacters.');
    }
  }

  /** How many characters were given and are not in a sentence yet. Bounded by `maxCharacters`. */
  get pendingCharacters(): number {
    return this.#text.length + this.#short.length;
  }

  /** The sentences that are known to be whole with this piece. */
  push(piece: string): string[] {
    this.#text += piece;
    const sentences: string[] = [];
    for (;;) {
      const search = this.#end.find(this.#text, this.#searched);
      if (search.tag === 'end' && search.at <= this.#maxCharacters) {
        this.#take(search.at, sentences);
        continue;
      }
      this.#searched = search.tag === 'end' ? this.#searched : search.from;
      const cut = this.#cut();
      if (cut === undefined) return sentences;
      this.#take(cut, sentences);
    }
  }

  /** What is left when no more text comes. The next piece begins a new text. */
  flush(): string[] {
    const sentences: string[] = [];
    if (this.#text !== '') this.#take(this.#text.length, sentences);
    if (isSpeakable(this.#short)) sentences.push(this.#short);
    this.#short = '';
    this.#isFirst = true;
    this.#isLineStart = true;
    if (this.#spoken !== undefined) this.#spoken = new SpokenText();
    return sentences;
  }

  /** Where to cut what has not ended: because the voice is to begin, or because it is too long. */
  #cut(): number | undefined {
    if (this.#isFirst && this.#text.length > this.#firstClauseCharacters) {
      const at = this.#clauseEnd(this.#firstClauseCharacters);
      if (at !== undefined && at < this.#text.length) return at;
    }
    if (this.#text.length <= this.#maxCharacters) return undefined;
    return this.#clauseEndWithin() ?? this.#wordEndWithin();
  }

  /** The end of the first part of the sentence that has at least so many characters. */
  #clauseEnd(characters: number): number | undefined {
    for (const match of this.#text.matchAll(CLAUSE_END)) {
      const at = match.index + match[0].length;
      if (at >= characters) return at;
    }
    return undefined;
  }

  /** The end of the last part that fits, where it is not so early that the rest is cut again and again. */
  #clauseEndWithin(): number | undefined {
    let last: number | undefined;
    for (const match of this.#text.matchAll(CLAUSE_END)) {
      const at = match.index + match[0].length;
      if (at > this.#maxCharacters) break;
      if (at >= this.#maxCharacters / 2) last = at;
    }
    return last;
  }

  #wordEndWithin(): number {
    const space = this.#text.slice(0, this.#maxCharacters + 1).search(/\s\S*$/);
    if (space > 0) return space;
    // Not between the two halves of a character.
    const last = this.#text.charCodeAt(this.#maxCharacters - 1);
    return last >= 0xd800 && last <= 0xdbff ? this.#maxCharacters - 1 : this.#maxCharacters;
  }

  #take(at: number, sentences: string[]): void {
    const piece = this.#text.slice(0, at);
    this.#text = this.#text.slice(at);
    this.#searched = 0;
    const isLineStart = this.#isLineStart;
    this.#isLineStart = piece.endsWith('\n');
    const said = this.#spoken?.of(piece, isLineStart) ?? piece.trim();
    if (said === '') return;
    const joined = this.#short === '' ? said : `${this.#short} ${said}`;
    const isLongEnough = this.#isFirst || joined.length >= this.#minCharacters;
    if (isLongEnough && isSpeakable(joined)) {
      sentences.push(joined);
      this.#short = '';
      this.#isFirst = false;
    } else {
      // Marks alone are kept for the words behind them, and not for ever.
      this.#short = isSpeakable(joined) || joined.length <= this.#minCharacters ? joined : '';
    }
  }
}
