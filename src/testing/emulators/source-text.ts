import { readFileSync } from 'node:fs';
import { LineCounter, isMap, isNode, parseDocument } from 'yaml';
import type { Document, Node } from 'yaml';
import { InvalidOptionError, describeError } from '../../kernel/index.ts';

/** Aliases a file may use; nothing written by hand has more, and a few that nest unfold into millions of values. */
const MOST_ALIASES = 100;

/** Counted from 1. */
export interface TextPlace {
  readonly line: number;
  readonly column: number;
}

/** What a text in YAML says, or in JSON, which is YAML too, and where in it each thing stands. */
export class SourceText {
  readonly content: unknown;
  readonly #document: Document;
  readonly #lines: LineCounter;

  /**
   * `what` is what the file should be, for the messages: `fault script`.
   * @throws InvalidOptionError when it cannot be read, or is neither YAML nor JSON; the message names the line.
   */
  static read(path: string, what: string): SourceText {
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch (cause) {
      throw new InvalidOptionError(`The ${what} ${path} cannot be read: ${describeError(cause)}.`, { cause });
    }
    return new SourceText(text, what, path);
  }

  /**
   * `name` says in messages where the text is from.
   * @throws InvalidOptionError when it is neither YAML nor JSON; the message names the line.
   */
  constructor(text: string, what: string, name: string) {
    this.#lines = new LineCounter();
    this.#document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false });
    const [wrong] = this.#document.errors;
    if (wrong !== undefined) {
      const { line } = this.#lines.linePos(wrong.pos[0]);
      throw new InvalidOptionError(
        `The ${what} is neither YAML nor JSON. ${name}:${line}: ${wrong.message}.`,
        { cause: wrong },
      );
    }
    try {
      this.content = this.#document.toJS({ maxAliasCount: MOST_ALIASES });
    } catch (cause) {
      throw new InvalidOptionError(`The ${what} ${name} cannot be read: ${describeError(cause)}.`, { cause });
    }
  }

  /** Where the value at a path stands; what is missing stands at the key of what it is missing from. */
  placeOf(path: readonly PropertyKey[]): TextPlace {
    for (let length = path.length; length >= 0; length -= 1) {
      const node = this.#nodeAt(path.slice(0, length));
      const at = length === path.length ? node : (this.#keyAt(path.slice(0, length)) ?? node);
      if (at?.range == null) continue;
      const { line, col } = this.#lines.linePos(at.range[0]);
      return { line, column: col };
    }
    return { line: 1, column: 1 };
  }

  #nodeAt(path: readonly PropertyKey[]): Node | undefined {
    const node = path.length === 0 ? this.#document.contents : this.#document.getIn(path, true);
    return isNode(node) ? node : undefined;
  }

  #keyAt(path: readonly PropertyKey[]): Node | undefined {
    const around = this.#nodeAt(path.slice(0, -1));
    if (!isMap(around)) return undefined;
    const keys = around.items.map(({ key }) => key).filter((key) => isNode(key));
    return keys.find((key) => key.toJS(this.#document) === path.at(-1));
  }
}
