import type { SttOutput } from './speech-to-text.ts';

export type Transcript = Pick<
  Extract<SttOutput, { type: 'transcript' }>,
  'text' | 'isFinal' | 'languageCode'
>;

/** What is said in one turn, as it is written down. */
export class TurnText {
  #finals = '';
  #interim = '';
  #languageCode: string | undefined;
  /** Whether something was heard of which no word has come. */
  #owed: boolean;

  constructor(isOwed: boolean) {
    this.#owed = isOwed;
  }

  /** All of it, with what is not final at its end. */
  get text(): string {
    return joined(this.#finals, this.#interim);
  }

  get languageCode(): string | undefined {
    return this.#languageCode;
  }

  /** Whether a final transcript is still to come. */
  get isPending(): boolean {
    return this.#owed || this.#interim !== '';
  }

  /** Whether some of the text is not final. */
  get isProvisional(): boolean {
    return this.#interim !== '';
  }

  add({ text, isFinal, languageCode }: Transcript): void {
    if (isFinal) this.#finals = joined(this.#finals, text.trim());
    this.#interim = isFinal ? '' : text.trim();
    this.#languageCode = languageCode ?? this.#languageCode;
    this.#owed = false;
  }

  /** Somebody speaks again: its words are to come. */
  heard(): void {
    this.#owed = true;
  }

  /** The recogniser has told all of it. */
  settle(): void {
    this.#owed = false;
    this.#finals = this.text;
    this.#interim = '';
  }

  /** Whether it has this many words, in whichever script. */
  hasWords(count: number): boolean {
    let words = 0;
    for (const { isWordLike } of SEGMENTER.segment(this.text)) {
      if (isWordLike === true) words += 1;
      if (words >= count) return true;
    }
    return words >= count;
  }
}

const SEGMENTER = new Intl.Segmenter(undefined, { granularity: 'word' });

function joined(first: string, second: string): string {
  return first === '' || second === '' ? first + second : `${first} ${second}`;
}
