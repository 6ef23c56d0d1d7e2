/**
 * Bytes held back in one direction of one connection before its sender is made to wait, as a full TCP window would.
 * Room for 200 ms of 40 Mbit/s, or for many seconds of audio; what was read in one go may come on top (64 KiB).
 */
export const MAX_HELD_BYTES = 1024 * 1024;

/** What a chunk costs beside its bytes, so that many tiny ones are bounded too: the objects it is made of. */
const CHUNK_COST_BYTES = 256;

/** An end that is passed on like a byte, in its turn. */
export type LinkEnd = 'fin' | 'reset';

export type HeldItem =
  | { readonly kind: 'bytes'; bytes: Buffer; dueAtMs: number }
  | { readonly kind: 'end'; readonly end: LinkEnd; dueAtMs: number };

/** What has come from one side and not gone to the other yet, in its order. */
export class HeldBack {
  #items: HeldItem[] = [];
  #head = 0;
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get isFull(): boolean {
    return this.#bytes + (this.#items.length - this.#head) * CHUNK_COST_BYTES >= MAX_HELD_BYTES;
  }

  /** The one whose turn it is. */
  get head(): HeldItem | undefined {
    return this.#items[this.#head];
  }

  push(item: HeldItem): void {
    this.#items.push(item);
    if (item.kind === 'bytes') this.#bytes += item.bytes.length;
  }

  /** Takes up to `limit` bytes of the chunk whose turn it is; empty when it is none. */
  takeBytes(limit: number): Buffer {
    const item = this.head;
    if (item?.kind !== 'bytes') return Buffer.alloc(0);
    const taken = item.bytes.subarray(0, limit);
    item.bytes = item.bytes.subarray(limit);
    this.#bytes -= taken.length;
    if (item.bytes.length === 0) this.#next();
    return taken;
  }

  /** Takes the end whose turn it is. */
  takeEnd(): LinkEnd | undefined {
    const item = this.head;
    if (item?.kind !== 'end') return undefined;
    this.#next();
    return item.end;
  }

  /** Everything held is due at once. */
  hurry(): void {
    for (const item of this.#items) item.dueAtMs = 0;
  }

  clear(): void {
    this.#items = [];
    this.#head = 0;
    this.#bytes = 0;
  }

  #next(): void {
    this.#head += 1;
    // What was taken is let go of once it is half of the list: constant work for each item on average.
    if (this.#head * 2 < this.#items.length) return;
    this.#items = this.#items.slice(this.#head);
    this.#head = 0;
  }
}
