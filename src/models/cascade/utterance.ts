import { AudioChunk } from '../../protocol/index.ts';
import { SentenceSplitter } from '../../speech/index.ts';
import type { SentenceSplitterOptions, TimedWord } from '../../speech/index.ts';

/** Where what is heard of an utterance goes. Called synchronously, in order. */
export interface UtteranceSink {
  /** The next piece of it. Nothing comes twice, over however many connections. */
  audio(audio: AudioChunk): void;
  /** Where in the utterance's audio its words are, from its first sample, where the voice tells. */
  words?(words: readonly TimedWord[]): void;
  /** All of it was spoken. Once, and instead of `failed`. */
  done(): void;
  /** No more of it will be heard, and that was not asked for. Once, and instead of `done`. */
  failed(error: Error): void;
}

interface Sentence {
  readonly text: string;
  /** How many letters and digits it has: that is what its words are counted by. */
  readonly letters: number;
}

/** Where one of the sentences being said stands in the utterance's audio, as far as its words have told. In samples. */
interface SentenceMark {
  from: number | undefined;
  to: number | undefined;
}

/** One try to have sentences spoken, over one connection. */
interface Saying {
  /** The name it has on the wire. What comes under another name is of an earlier try, and is not heard. */
  readonly name: string;
  readonly sinceMs: number;
  /** How many of the sentences were handed over. */
  sent: number;
  /** Whether the voice was told that no more comes. */
  isEnded: boolean;
  receivedSamples: number;
  readonly marks: SentenceMark[];
  /** Letters of the words that were told. */
  letters: number;
}

/**
 * What is to be said, and how much of it was heard.
 *
 * It keeps the sentences that were not heard to their end. When a connection is lost they are said again from the first
 * of them, and of its audio is left out what had been delivered before: where that sentence began is known from its
 * words, or from the end of the one before where each is spoken for itself.
 */
export class Utterance {
  readonly sink: UtteranceSink;
  readonly #splitter: SentenceSplitter;
  readonly #rateHz: number;
  /** Sentences not heard to their end, oldest first. */
  readonly #sentences: Sentence[] = [];
  /** Where the first of them begins in the utterance's audio. */
  #fromSample = 0;
  #heardSamples = 0;
  #wordsToldMs = 0;
  #isEnded = false;
  #saying: Saying | undefined;
  /** How often the first sentence was cut off by a connection that had worked. */
  #cuts = 0;
  #waitingCharacters = 0;

  constructor(sink: UtteranceSink, splitter: SentenceSplitterOptions, rateHz: number) {
    this.sink = sink;
    this.#splitter = new SentenceSplitter(splitter);
    this.#rateHz = rateHz;
  }

  get saying(): Saying | undefined {
    return this.#saying;
  }

  get heardMs(): number {
    return (this.#heardSamples * 1_000) / this.#rateHz;
  }

  get cuts(): number {
    return this.#cuts;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** How much text of it is kept, in characters. */
  get waitingCharacters(): number {
    return this.#waitingCharacters + this.#splitter.pendingCharacters;
  }

  /** Whether nothing of it is left to be said. */
  get isOver(): boolean {
    return this.#isEnded && this.#sentences.length === 0;
  }

  /** The sentence to be handed over next. */
  get next(): string | undefined {
    return this.#sentences[this.#saying?.sent ?? 0]?.text;
  }

  text(piece: string): void {
    this.#keep(this.#splitter.push(piece));
  }

  flush(): void {
    this.#keep(this.#splitter.flush());
  }

  end(): void {
    this.#isEnded = true;
    this.#keep(this.#splitter.flush());
  }

  begin(name: string, sinceMs: number): Saying {
    this.#saying = { name, sinceMs, sent: 0, isEnded: false, receivedSamples: 0, marks: [], letters: 0 };
    return this.#saying;
  }

  /** Audio of what is being said: what was delivered before is left out. */
  audio(chunk: AudioChunk): void {
    const saying = this.#saying;
    if (saying === undefined) return;
    const at = this.#fromSample + saying.receivedSamples;
    const { sampleCount } = chunk;
    saying.receivedSamples += sampleCount;
    const skip = this.#heardSamples - at;
    if (skip >= sampleCount) return;
    this.#heardSamples = at + sampleCount;
    this.sink.audio(skip <= 0 ? chunk : AudioChunk.fromSamples(chunk.samples.subarray(skip), chunk.rateHz));
  }

  /** Words of what is being said, with their places in it. */
  words(words: readonly TimedWord[]): void {
    const saying = this.#saying;
    if (saying === undefined) return;
    const offsetMs = (this.#fromSample * 1_000) / this.#rateHz;
    const placed = words.map((word) => ({
      ...word,
      startMs: word.startMs + offsetMs,
      endMs: word.endMs + offsetMs,
    }));
    for (const word of placed) this.#mark(saying, word);
    const untold = placed.filter(({ endMs }) => endMs > this.#wordsToldMs);
    if (untold.length === 0) return;
    this.#wordsToldMs = Math.max(...untold.map(({ endMs }) => endMs));
    this.sink.words?.(untold);
  }

  /** What was being said was spoken to its end. */
  done(): void {
    const saying = this.#saying;
    this.#saying = undefined;
    if (saying === undefined) return;
    this.#forget(saying.sent);
    this.#fromSample = this.#heardSamples;
    this.#cuts = 0;
  }

  /** The connection is gone, or is not listened to any more. `hadWorked`: it was not one that never came to anything. */
  cut(hadWorked: boolean): void {
    const saying = this.#saying;
    this.#saying = undefined;
    if (saying === undefined) return;
    const heard = saying.marks.findLastIndex(({ to }) => to !== undefined && to <= this.#heardSamples) + 1;
    if (heard > 0) {
      // Between two sentences is silence, which belongs to neither.
      this.#fromSample = Math.min(saying.marks[heard]?.from ?? this.#heardSamples, this.#heardSamples);
      this.#forget(heard);
      this.#cuts = 0;
    }
    if (hadWorked || saying.receivedSamples > 0) this.#cuts += 1;
  }

  #keep(texts: readonly string[]): void {
    for (const text of texts) {
      this.#sentences.push({ text, letters: lettersOf(text) });
      this.#waitingCharacters += text.length;
    }
  }

  #forget(count: number): void {
    for (const { text } of this.#sentences.splice(0, count)) this.#waitingCharacters -= text.length;
  }

  /** Words are told in another spelling than they were given, so that their letters are counted, not compared. */
  #mark(saying: Saying, word: TimedWord): void {
    let lettersBefore = 0;
    for (const [index, { letters }] of this.#sentences.slice(0, saying.sent).entries()) {
      const mark = (saying.marks[index] ??= { from: undefined, to: undefined });
      lettersBefore += letters;
      if (saying.letters >= lettersBefore) continue;
      mark.from ??= this.#sampleAt(word.startMs);
      saying.letters += lettersOf(word.text);
      if (saying.letters >= lettersBefore) mark.to = this.#sampleAt(word.endMs);
      return;
    }
  }

  #sampleAt(ms: number): number {
    return Math.round((ms * this.#rateHz) / 1_000);
  }
}

function lettersOf(text: string): number {
  return text.match(/[\p{L}\p{N}]/gu)?.length ?? 0;
}
