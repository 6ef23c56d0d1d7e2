import { textContent } from '../../protocol/index.ts';
import type { Content } from '../../protocol/index.ts';

/** What of the user's turn under way was told, what the session has written down of it, and what is known of it. */
export class UserWords {
  /** As it was told last. */
  told = '';
  #written = '';
  #known = '';

  /** Another turn begins. */
  began(): void {
    this.told = '';
    this.#written = '';
    this.#known = '';
  }

  /** The session has written down what it was told. */
  writtenDown(): void {
    this.#written = this.told;
  }

  /** Another agent has the conversation, and was given what is written down. */
  handedOver(): void {
    this.#known = this.#written;
  }

  /** What the history does not have of these words of the turn. */
  unknown(transcript: string): Content[] {
    const isGrown = transcript.startsWith(this.#known);
    const news = (isGrown ? transcript.slice(this.#known.length) : transcript).trim();
    return news === '' ? [] : [textContent('user', news)];
  }
}
