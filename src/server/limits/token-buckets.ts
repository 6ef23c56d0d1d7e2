import type { Lifetime } from '../../kernel/index.ts';

/** More than any honest node sees in a minute, and two megabytes at most: who floods with names only gets fresh buckets. */
export const MAX_TOKEN_BUCKETS = 10_000;

const MINUTE_MS = 60_000;

interface Bucket {
  tokens: number;
  atMs: number;
}

/** How often each of many may do something: so many times a minute, which may be used up at once. */
export class TokenBuckets {
  readonly #owner: Lifetime;
  readonly #name: string;
  readonly #perMinute: number;
  /** In the order of their last use. */
  readonly #buckets = new Map<string, Bucket>();
  #isSweeping = false;

  constructor(owner: Lifetime, name: string, perMinute: number) {
    this.#owner = owner;
    this.#name = name;
    this.#perMinute = perMinute;
  }

  /** How many are kept. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Takes one. Returns 0, or after how many milliseconds there will be one to take. */
  take(key: string): number {
    const nowMs = this.#owner.clock.now();
    const bucket = this.#buckets.get(key) ?? { tokens: this.#perMinute, atMs: nowMs };
    const earned = ((nowMs - bucket.atMs) * this.#perMinute) / MINUTE_MS;
    bucket.tokens = Math.min(this.#perMinute, bucket.tokens + earned);
    bucket.atMs = nowMs;
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > MAX_TOKEN_BUCKETS) this.#forgetOldest();
    this.#sweepLater();
    if (bucket.tokens < 1) return ((1 - bucket.tokens) * MINUTE_MS) / this.#perMinute;
    bucket.tokens -= 1;
    return 0;
  }

  #forgetOldest(): void {
    for (const key of this.#buckets.keys()) {
      this.#buckets.delete(key);
      return;
    }
  }

  /** A bucket that was not used for a minute is full, which is what one is that is not there. */
  #sweepLater(): void {
    if (this.#isSweeping || !this.#owner.isOpen) return;
    this.#isSweeping = true;
    this.#owner.timer(this.#name, MINUTE_MS, () => {
      this.#isSweeping = false;
      const fullSinceMs = this.#owner.clock.now() - MINUTE_MS;
      for (const [key, { atMs }] of this.#buckets) {
        if (atMs > fullSinceMs) break;
        this.#buckets.delete(key);
      }
      if (this.#buckets.size > 0) this.#sweepLater();
    });
  }
}
