import type { Content, Part } from '../protocol/index.ts';
import { heardByShare, heardByWords } from './heard-text.ts';
import type { CutBy, SpokenWord } from './heard-text.ts';
import type { Playout } from './playout.ts';

/** What the agent said in one go, in words, and the audio they were said in. */
interface Piece {
  content: Content;
  readonly part: number;
  raw: string;
  words: readonly SpokenWord[];
  readonly utteranceFrom: number;
  readonly from: number;
  readonly to: number;
}

/** How the agent's words stand in the history. */
export interface Said {
  readonly text: string;
  readonly cut?: CutBy;
}

/**
 * The agent's words that may not have been heard yet. When the user interrupts, what the history says was spoken is cut
 * to what was heard (clause S4), also where it was written down before, and where its words come only afterwards.
 */
export class SpokenText {
  readonly #history: Content[];
  readonly #playout: Playout | undefined;
  #pieces: Piece[] = [];
  /** What was written down last, where all audio there was by then had been heard: its own may be still to come. */
  #unplaced: Piece | undefined;
  /** Where the audio of the utterance begins, and that of what was not written down yet. */
  #utteranceFrom = 0;
  #from = 0;
  /** How much had been heard when the turn under way was interrupted. */
  #heardAt: number | undefined;
  /** How much had been heard when the turn under way paused. */
  #pausedAt: number | undefined;

  /** Without a playout everything counts as heard. */
  constructor(history: Content[], playout: Playout | undefined) {
    this.#history = history;
    this.#playout = playout;
  }

  /** The agent begins to speak. */
  begins(positionSamples: number): void {
    const from = this.#voiceUpTo(positionSamples);
    this.#heardAt = undefined;
    this.#pausedAt = undefined;
    this.#utteranceFrom = from;
    this.#from = from;
  }

  /**
   * The words of what was spoken up to a position are to be written down, as part number `parts.length` of a content. Undefined
   * where they belong to words that were cut already, and with them were put right.
   */
  said(raw: string, words: readonly SpokenWord[], positionSamples: number): Said | undefined {
    const to = this.#voiceUpTo(positionSamples);
    const last = this.#pieces.at(-1);
    if (this.#heardAt !== undefined && last !== undefined && to === this.#from) {
      last.raw += raw;
      last.words = [...last.words, ...words];
      this.#cut(last, this.#heardAt);
      return undefined;
    }
    const said = this.#heardAt === undefined ? undefined : this.#heard({ ...this.#range(to), raw, words });
    return said ?? { text: raw.trim() };
  }

  /** They were written down as the last part of `content`. */
  wrote(content: Content, raw: string, words: readonly SpokenWord[], positionSamples: number): void {
    const to = this.#voiceUpTo(positionSamples);
    const heard = this.#heardNow;
    const range = this.#range(to);
    this.#from = to;
    if (heard === undefined) return;
    this.#pieces = this.#pieces.filter((piece) => piece.to > heard);
    const piece: Piece = { ...range, content, part: content.parts.length - 1, raw, words };
    const isHeardLater = range.to > range.from && (to > heard || this.#heardAt !== undefined);
    if (isHeardLater) this.#pieces.push(piece);
    this.#unplaced = isHeardLater ? undefined : piece;
  }

  /** Where in the audio words are that were written down before. Returns false where there are no such words. */
  placed(words: readonly SpokenWord[]): boolean {
    if (this.#unplaced !== undefined) this.#pieces.push(this.#unplaced);
    this.#unplaced = undefined;
    const last = this.#pieces.at(-1);
    if (last === undefined) return false;
    last.words = [...last.words, ...words];
    if (this.#heardAt !== undefined) this.#cut(last, this.#heardAt);
    return true;
  }

  /** The user interrupts: what has not been heard is not heard any more. */
  interrupted(isMidTurn: boolean): void {
    const heard = this.#heardNow;
    this.#pausedAt = undefined;
    if (heard === undefined || this.#heardAt !== undefined) return;
    for (const piece of this.#pieces) this.#cut(piece, heard);
    if (isMidTurn) this.#heardAt = heard;
    else this.#pieces = [];
  }

  /** What has not been heard waits, and is not heard for now. Returns false where it waits already. */
  paused(): boolean {
    if (this.#pausedAt !== undefined) return false;
    this.#pausedAt = this.#heardNow;
    return this.#pausedAt !== undefined;
  }

  /** What was not heard comes again, from `at` on: it is as if it had all been sent later. Returns false without a pause. */
  resumed(positionSamples: number): boolean {
    if (this.#pausedAt === undefined) return false;
    const gap = this.#voiceUpTo(positionSamples) - this.#pausedAt;
    this.#pausedAt = undefined;
    this.#utteranceFrom += gap;
    this.#from += gap;
    this.#pieces = this.#pieces.map((piece) => ({
      ...piece,
      utteranceFrom: piece.utteranceFrom + gap,
      from: piece.from + gap,
      to: piece.to + gap,
    }));
    return true;
  }

  /** What waits will not come again. */
  givenUp(): void {
    if (this.#pausedAt !== undefined) this.interrupted(true);
  }

  turnEnded(): void {
    this.#unplaced = undefined;
    if (this.#heardAt !== undefined) this.#pieces = [];
    this.#heardAt = undefined;
    this.#pausedAt = undefined;
  }

  /** How much has been heard; undefined where nobody can tell. */
  get #heardNow(): number | undefined {
    if (this.#pausedAt !== undefined || this.#playout === undefined) return this.#pausedAt;
    return this.#voiceUpTo(this.#playout.heardSamples);
  }

  /** Everything here is counted in samples of the voice alone: what sounds beside it was not said. */
  #voiceUpTo(positionSamples: number): number {
    return this.#playout?.voiceUpTo(positionSamples) ?? positionSamples;
  }

  #range(to: number): Pick<Piece, 'utteranceFrom' | 'from' | 'to'> {
    return { utteranceFrom: this.#utteranceFrom, from: this.#from, to };
  }

  #cut(piece: Piece, heardSamples: number): void {
    const index = this.#history.lastIndexOf(piece.content);
    if (index === -1) return;
    const said = this.#heard(piece, heardSamples);
    if (said === undefined && piece.content.cut === undefined) return;
    const parts: Part[] = [...piece.content.parts];
    parts[piece.part] = { ...parts[piece.part], text: said?.text ?? piece.raw.trim() };
    piece.content = {
      role: 'model',
      parts,
      ...(said?.cut === undefined ? {} : { cut: said.cut }),
    };
    this.#history[index] = piece.content;
  }

  /** Undefined where all of it was heard, or it is not known in which audio it was said. */
  #heard(
    { raw, words, utteranceFrom, from, to }: Omit<Piece, 'content' | 'part'>,
    heardSamples = this.#heardAt ?? Infinity,
  ): Said | undefined {
    // Words that are known to come behind all of the audio were not heard with it.
    const audioMs = this.#playout?.msOf(to - utteranceFrom) ?? Infinity;
    const isBehind = (words.at(-1)?.startMs ?? 0) > audioMs;
    if (!isBehind && (heardSamples >= to || from === to)) return undefined;
    if (words.length > 0 && this.#playout !== undefined) {
      const heardMs = this.#playout.msOf(heardSamples - utteranceFrom);
      return { text: heardByWords(raw, words, heardMs).trim(), cut: 'words' };
    }
    return { text: heardByShare(raw.trim(), (heardSamples - from) / (to - from)), cut: 'share' };
  }
}
