import type { ModelInput } from './live-model.ts';

/** How many ids of one connection are remembered, in case it repeats a call. */
const REMEMBERED_IDS = 200;

/**
 * What calls are called. A provider may count its calls anew with each conversation, and so does the language model of
 * another agent: an id that is known from before is then another call's, which gets a name of its own on this side.
 * Only the connection that has made a call can repeat it.
 */
export class CallIds {
  /** Whether a call of this name runs, or was answered a short while ago. */
  readonly #isKnown: (id: string) => boolean;
  /** By the ids of the connection. */
  readonly #names = new Map<string, string>();
  readonly #ids = new Map<string, string>();
  #count = 0;

  constructor(isKnown: (id: string) => boolean) {
    this.#isKnown = isKnown;
  }

  /** Whoever calls from here on knows nothing of the calls before, but what the history says. */
  fresh(): void {
    this.#names.clear();
    this.#ids.clear();
  }

  /** The names of calls that were made under these ids. */
  namesOf(ids: readonly string[]): readonly string[] {
    return ids.map((id) => this.#names.get(id) ?? id);
  }

  /** The name of a call that is made, or repeated. */
  nameOf(id: string): string {
    const known = this.#names.get(id);
    if (known !== undefined) return known;
    let name = id;
    while (this.#isKnown(name)) {
      this.#count += 1;
      name = `${id}.${this.#count}`;
    }
    this.#names.set(id, name);
    if (name !== id) this.#ids.set(name, id);
    const [oldest] = this.#names.keys();
    if (this.#names.size > REMEMBERED_IDS && oldest !== undefined) this.#forget(oldest);
    return name;
  }

  /** An input as the connection is to have it: results under the ids it gave. */
  outgoing(input: ModelInput): ModelInput {
    if (input.type !== 'toolResponse' || this.#ids.size === 0) return input;
    const responses = input.responses.map((each) => ({ ...each, id: this.#ids.get(each.id) ?? each.id }));
    return { ...input, responses };
  }

  #forget(id: string): void {
    this.#ids.delete(this.#names.get(id) ?? id);
    this.#names.delete(id);
  }
}
