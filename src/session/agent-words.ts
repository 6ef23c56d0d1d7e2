import type { Part } from '../protocol/index.ts';
import type { SpokenWord } from './heard-text.ts';

/** What the agent has said since the last of it was written down. */
export interface Uttered {
  /** All of its text, which its parts have too. */
  readonly text: string;
  /** Its transcript as it came, and where the words are in the audio. */
  readonly raw: string;
  readonly words: readonly SpokenWord[];
  /** Text and other parts, each in its place. */
  readonly parts: Part[];
}

/** Gathers what the agent says, in pieces, until it is written down. */
export class AgentWords {
  #uttered: Uttered = nothing();

  /** Whether nothing was spoken that is not written down. */
  get isSilent(): boolean {
    return this.#uttered.raw === '';
  }

  addText(piece: string): void {
    const { text, parts } = this.#uttered;
    this.#uttered = { ...this.#uttered, text: text + piece };
    const last = parts.at(-1);
    // Pieces grow into one part; what another kind of part stands between stays apart.
    if (last?.text === undefined) parts.push({ text: piece });
    else parts[parts.length - 1] = { ...last, text: last.text + piece };
  }

  addParts(parts: readonly Part[]): void {
    this.#uttered.parts.push(...parts);
  }

  hear(piece: string, words: readonly SpokenWord[] = []): void {
    const { raw, words: before } = this.#uttered;
    this.#uttered = {
      ...this.#uttered,
      raw: raw + piece,
      words: words.length === 0 ? before : [...before, ...words],
    };
  }

  /** Gives what there is, and forgets it. */
  take(): Uttered {
    const uttered = this.#uttered;
    this.#uttered = nothing();
    return uttered;
  }
}

function nothing(): Uttered {
  return { text: '', raw: '', words: [], parts: [] };
}
