/** Records kept; of more connections than that the oldest are forgotten. */
const MAX_RECORDS = 10_000;

/** What a test server remembers of its connections, counted from 1 in the order of dialling. */
export class NumberedLog<Item extends { readonly number: number }> implements Iterable<Item> {
  readonly #changed: () => void;
  #records: Item[] = [];
  #count = 0;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** How many there have been. */
  get count(): number {
    return this.#count;
  }

  /** The n-th, counted from 1. */
  nth(number: number): Item | undefined {
    return this.#records.find((record) => record.number === number);
  }

  get last(): Item | undefined {
    return this.#records.at(-1);
  }

  [Symbol.iterator](): Iterator<Item> {
    return this.#records[Symbol.iterator]();
  }

  protected append(make: (number: number, changed: () => void) => Item): Item {
    this.#count += 1;
    const record = make(this.#count, this.#changed);
    this.#records = [...this.#records.slice(1 - MAX_RECORDS), record];
    this.#changed();
    return record;
  }

  /** Takes a record back. Its number is given again where it can be. */
  protected remove(record: Item): void {
    this.#records = this.#records.filter((kept) => kept !== record);
    if (record.number === this.#count) this.#count -= 1;
    this.#changed();
  }
}
