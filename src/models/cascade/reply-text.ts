import { textContent } from '../../protocol/index.ts';
import type { Content, FunctionCall, FunctionResponse } from '../../protocol/index.ts';
import { heardByWords } from '../../session/heard-text.ts';
import type { TimedWord } from '../../speech/index.ts';
import { probablePlaces } from './word-places.ts';

/** What an answer that is over has added to the conversation if all of it was heard. */
interface Uncut {
  readonly said: readonly Content[];
  /** The text since the last calls. */
  readonly text: string;
}

/** What an answer says: what it adds to the conversation, what of it was told, and where in its audio its words are. */
export class ReplyText {
  readonly #isRead: boolean;
  /** Texts with calls, and their results; the text behind them too, once it is whole. */
  #said: Content[] = [];
  /** The text since the last of those. */
  #text = '';
  #uncut: Uncut | undefined;
  #all = '';
  /** Text of which no audio has come: who is not heard has not said anything. */
  #untold = '';
  #words: TimedWord[] = [];
  #audioMs = 0;
  #isSpoken = false;
  /** Where in the text what follows the last calls begins, and where the last word lies that was placed. */
  #segmentFrom = 0;
  #placedTo = 0;
  /** How much of it the session has written down already. */
  #writtenTo = 0;

  /** `isRead`: there is no voice, and all of it is told. */
  constructor({ isRead }: { readonly isRead: boolean }) {
    this.#isRead = isRead;
  }

  /** All of its text so far. */
  get all(): string {
    return this.#all;
  }

  /** What it has added to the conversation so far. */
  get said(): readonly Content[] {
    return this.#said;
  }

  /** The next piece of the text. */
  add(piece: string): void {
    this.#text += piece;
    this.#all += piece;
    this.#untold += piece;
  }

  /** What has not been told yet, which is told now. */
  takeUntold(): string {
    const text = this.#untold;
    this.#untold = '';
    return text;
  }

  /** It calls tools. What is said after them is a new segment. */
  call(calls: readonly FunctionCall[]): void {
    const text = this.#text.trim() === '' ? [] : [{ text: this.#text.trim() }];
    this.#said.push({ role: 'model', parts: [...text, ...calls.map((functionCall) => ({ functionCall }))] });
    this.#text = '';
    this.#segmentFrom = this.#all.length;
  }

  result(functionResponse: FunctionResponse): void {
    this.#said.push({ role: 'user', parts: [{ functionResponse }] });
  }

  /** What was told of it by now stands in the session's history, and what follows will stand behind it. */
  writtenDown(): void {
    this.#writtenTo = this.#all.length - this.#untold.length;
  }

  /** The conversation has what it added up to its last results, and what was written down since. */
  forgetKnown(isWhole: boolean): void {
    const last = this.#said.findLastIndex(({ parts }) => parts.some(({ text }) => text === undefined));
    this.#said = this.#said.slice(last + 1);
    if (this.#writtenTo <= this.#segmentFrom) return;
    this.#segmentFrom = this.#writtenTo;
    const rest = this.#all.slice(this.#writtenTo);
    if (!isWhole) this.#text = rest;
    else this.#said = rest.trim() === '' ? [] : [textContent('model', rest.trim())];
  }

  /** So much more audio has come of it. */
  spoke(durationMs: number): void {
    this.#audioMs += durationMs;
  }

  /** No more audio comes. */
  spoken(): void {
    this.#isSpoken = true;
  }

  /** The voice tells where words are. Returns those of this segment. */
  place(words: readonly TimedWord[]): readonly TimedWord[] {
    this.#words.push(...words);
    return this.#inSegment(words);
  }

  /** Where the words of this segment probably are, where the voice has not told. */
  placeProbably(): readonly TimedWord[] {
    if (this.#audioMs === 0) return [];
    if (this.#words.length === 0) return this.#inSegment(this.#places);
    if (this.#placedTo > this.#segmentFrom) return [];
    // The voice tells its words, and none since the calls: all of that would have come behind what there is.
    const first = this.#all.slice(this.#segmentFrom).trim();
    const never = Number.MAX_SAFE_INTEGER;
    return first === '' ? [] : [{ text: first, startMs: never, endMs: never }];
  }

  /** The text is whole. */
  commit(): void {
    const text = this.#text.trim();
    if (text !== '') this.#said.push(textContent('model', text));
    this.#text = '';
  }

  /** Of what has failed, text without audio will not be heard any more. */
  dropUntold(): void {
    if (this.#untold !== '') this.#text = this.#text.slice(0, -this.#untold.length);
  }

  /** Nothing follows. */
  end(): void {
    this.commit();
    const last = this.#said.at(-1);
    const text = last?.role === 'model' && last.parts.length === 1 ? (last.parts[0]?.text ?? '') : '';
    this.#uncut = { said: text === '' ? this.#said : this.#said.slice(0, -1), text };
  }

  /** It is over: what it adds to the conversation when so much of its audio was heard. Without a voice all of it was read. */
  heardUntil(heardMs: number): readonly Content[] {
    if (this.#uncut === undefined) return this.#said;
    const { said, text } = this.#uncut;
    const heard = this.#isRead
      ? text
      : heardByWords(this.#all, this.#places, heardMs).slice(this.#segmentFrom);
    return heard.trim() === '' ? said : [...said, textContent('model', heard.trim())];
  }

  /** Those that were said since the last calls: what was said before stands in the conversation already. */
  #inSegment(words: readonly TimedWord[]): readonly TimedWord[] {
    return words.filter(({ text }) => {
      const at = this.#all.indexOf(text, this.#placedTo);
      if (at !== -1) this.#placedTo = at + text.length;
      return this.#placedTo > this.#segmentFrom;
    });
  }

  get #places(): readonly TimedWord[] {
    return this.#words.length > 0 ? this.#words : probablePlaces(this.#all, this.#audioMs, this.#isSpoken);
  }
}
