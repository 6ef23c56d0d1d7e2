import type { Content } from '../protocol/index.ts';

interface Taken {
  /** Where in the history the first of it stood. */
  readonly index: number;
  /** The history from there on, as it was. */
  readonly before: readonly Content[];
  /** What was taken out and is not settled: it stands in the history again once it was said again. */
  readonly contents: Set<Content>;
}

/**
 * What was taken out of the history when a connection was lost, because it is said again to the next one. Until that
 * has happened it can be put back: a session may end, and a connection be lost, before all of it was.
 */
export class TakenBack {
  readonly #history: Content[];
  /** What was typed is sent again, and then stands in the history; of what was spoken the model must tell again. */
  readonly #typed = new WeakSet<Content>();
  #taken: Taken | undefined;

  constructor(history: Content[]) {
    this.#history = history;
  }

  /** Takes note of a message that was sent, for the first time or again. */
  sent(content: Content): void {
    this.#typed.add(content);
  }

  /**
   * Takes `contents` out of the history, and with them what was taken out before and is not settled: what was spoken,
   * and of what was typed no more than `again`, which is sent again.
   */
  take(contents: readonly Content[], again: ReadonlySet<Content>): void {
    const candidates = [...(this.#taken?.contents ?? []), ...contents];
    const taken = new Set(candidates.filter((content) => !this.#typed.has(content) || again.has(content)));
    this.putBack();
    const index = this.#history.findIndex((content) => taken.has(content));
    if (index === -1) return;
    const before = this.#history.slice(index);
    this.#history.splice(index, Infinity, ...before.filter((content) => !taken.has(content)));
    this.#taken = { index, before, contents: new Set(before.filter((content) => taken.has(content))) };
  }

  /** The model tells what the user says: what it told of the same words before is forgotten. */
  heardAgain(): void {
    for (const content of this.#taken?.contents ?? [])
      if (!this.#typed.has(content)) this.#taken?.contents.delete(content);
  }

  /** What was said again until now is answered. Words the model has not told again were said nevertheless. */
  answered(): void {
    const taken = this.#taken;
    if (taken === undefined) return;
    this.putBack(new Set([...taken.contents].filter((content) => this.#typed.has(content))));
  }

  /** It was not said again after all, but for `again`, which still may be. Returns what was put back. */
  putBack(again: ReadonlySet<Content> = new Set()): readonly Content[] {
    const taken = this.#taken;
    this.#taken = undefined;
    if (taken === undefined) return [];
    const history = new Set(this.#history);
    const missing = [...taken.contents].filter((content) => !history.has(content));
    const back = missing.filter((content) => !again.has(content));
    const isSomeSaid = missing.length < taken.contents.size;
    // What was typed is sent again in its order: what is missing comes after what is not.
    const later = back.filter((content) => isSomeSaid && this.#typed.has(content));
    this.#restore(taken, new Set(back.filter((content) => !later.includes(content))));
    this.#history.push(...later);
    const left = missing.filter((content) => again.has(content));
    if (left.length > 0) this.#taken = { ...taken, contents: new Set(left) };
    return back;
  }

  #restore({ index, before, contents }: Taken, back: ReadonlySet<Content>): void {
    if (back.size === 0) return;
    const placed = new Set(before.filter((content) => !contents.has(content) || back.has(content)));
    const since = this.#history.slice(index).filter((content) => !placed.has(content));
    this.#history.splice(index, Infinity, ...placed, ...since);
  }
}
