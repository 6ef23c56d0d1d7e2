import type { Content } from '../../protocol/index.ts';
import type { Reply } from './reply.ts';

/** The last answer, and where in the history stands what was heard of it. */
interface Given {
  readonly reply: Reply;
  readonly at: number;
  count: number;
}

/** What was said, as the language model is told it. */
export class CascadeHistory {
  #contents: Content[];
  #last: Given | undefined;
  /** What was said under something that cannot be interrupted: it stands behind it. */
  #meanwhile: Content[] = [];

  constructor(contents: readonly Content[]) {
    this.#contents = [...contents];
  }

  get contents(): readonly Content[] {
    return this.#contents;
  }

  /** Somebody else goes on with the conversation, and this is what they know. */
  reset(contents: readonly Content[]): void {
    this.#contents = [...contents];
    this.#last = undefined;
    this.#meanwhile = [];
  }

  add(contents: readonly Content[]): void {
    this.#contents.push(...contents);
  }

  /** Said while something is said that cannot be interrupted: it follows when that is over. */
  addBehind(contents: readonly Content[]): void {
    this.#meanwhile.push(...contents);
  }

  /**
   * An answer is over, and adds this, and then what was said meanwhile; undefined: the conversation is not to know of it.
   * Returns whether anything was added.
   */
  answered(reply: Reply, said: readonly Content[] | undefined): boolean {
    this.#last = said === undefined ? undefined : { reply, at: this.#contents.length, count: said.length };
    const added = [...(said ?? []), ...this.#meanwhile.splice(0)];
    this.#contents.push(...added);
    return added.length > 0;
  }

  /** So much of the last answer's audio had been heard, in milliseconds: what it added is cut to that. */
  cutLast(playedMs: number): void {
    const last = this.#last;
    if (last === undefined) return;
    const said = last.reply.cutAt(playedMs);
    this.#contents.splice(last.at, last.count, ...said);
    last.count = said.length;
  }
}
