import { InvalidOptionError } from './errors.ts';

type Waiter<Item> = (result: IteratorResult<Item, undefined>) => void;

/**
 * A bounded first-in first-out queue between code that calls and code that awaits.
 *
 * `push` never waits: it says whether there was room. After `end()` what is queued can still be taken, then every
 * `next()` is done. Several consumers may wait; each item goes to one of them.
 */
export class Mailbox<Item> implements AsyncIterableIterator<Item, undefined> {
  readonly capacity: number;
  #items: Item[] = [];
  #head = 0;
  #waiters: Waiter<Item>[] = [];
  #ended = false;

  /** @throws InvalidOptionError when `capacity` is not a whole number above zero. */
  constructor(capacity: number) {
    if (!Number.isInteger(capacity) || capacity < 1) {
      throw new InvalidOptionError(`A mailbox needs room for at least one item; capacity was ${capacity}.`);
    }
    this.capacity = capacity;
  }

  get size(): number {
    return this.#items.length - this.#head;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Queues an item, or hands it to who waits. Returns false, and keeps nothing, when full or ended. */
  push(item: Item): boolean {
    if (this.#ended) return false;
    if (this.#waiters.length > 0) {
      this.#waiters.shift()?.({ done: false, value: item });
      return true;
    }
    if (this.size >= this.capacity) return false;
    this.#items.push(item);
    return true;
  }

  /** Takes the oldest item without waiting. */
  shift(): Item | undefined {
    if (this.size === 0) return undefined;
    // One in, one out is what nearly always happens: then nothing is allocated.
    if (this.#items.length === 1) return this.#items.pop();
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined as Item;
    this.#head += 1;
    // Moving the tail down once half the array is spent keeps both taking and memory constant on average.
    if (this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** No more items will come. Whoever waits is told so. */
  end(): void {
    this.#ended = true;
    for (const waiter of this.#waiters.splice(0)) waiter({ done: true, value: undefined });
  }

  /** Forgets what is queued and returns it. */
  clear(): Item[] {
    const items = this.#items.slice(this.#head);
    this.#items = [];
    this.#head = 0;
    return items;
  }

  next(): Promise<IteratorResult<Item, undefined>> {
    if (this.size > 0) return Promise.resolve({ done: false, value: this.shift() as Item });
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** The consumer leaves: nothing more is taken in, and what was queued is dropped. */
  return(): Promise<IteratorResult<Item, undefined>> {
    this.end();
    this.clear();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
