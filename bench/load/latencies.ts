const BUCKET_MICROS = 10;
const BUCKETS = 50_000;

/** How long frames took, in buckets of 10 µs up to half a second; what took longer is in the last one. */
export class Latencies {
  readonly #buckets = new Uint32Array(BUCKETS);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(micros: number): void {
    const bucket = Math.min(BUCKETS - 1, Math.floor(micros / BUCKET_MICROS));
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1;
    this.#count += 1;
  }

  /** Milliseconds within which this share of the frames arrived; 0 where there were none. */
  quantileMs(share: number): number {
    const wanted = this.#count * share;
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      seen += this.#buckets[bucket] ?? 0;
      if (seen >= wanted && seen > 0) return ((bucket + 1) * BUCKET_MICROS) / 1_000;
    }
    return 0;
  }

  clear(): void {
    this.#buckets.fill(0);
    this.#count = 0;
  }
}
