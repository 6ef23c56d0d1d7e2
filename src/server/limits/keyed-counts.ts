/** How many each of many has of something. Who has none is not kept, so that there are never more than what is counted. */
export class KeyedCounts {
  readonly #counts = new Map<string, number>();

  /** How many have one. */
  get size(): number {
    return this.#counts.size;
  }

  of(key: string): number {
    return this.#counts.get(key) ?? 0;
  }

  add(key: string): void {
    this.#counts.set(key, this.of(key) + 1);
  }

  remove(key: string): void {
    const left = this.of(key) - 1;
    if (left > 0) this.#counts.set(key, left);
    else this.#counts.delete(key);
  }
}
