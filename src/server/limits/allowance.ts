/** How much of something one client may have: so much a second, and what it has saved up of that. */
export class Allowance {
  readonly #perSecond: number;
  readonly #most: number;
  #left: number;
  #atMs: number;

  constructor(perSecond: number, most: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#most = most;
    this.#left = most;
    this.#atMs = nowMs;
  }

  /** Takes so much; false when it is used up. */
  take(amount: number, nowMs: number): boolean {
    const earned = ((nowMs - this.#atMs) * this.#perSecond) / 1_000;
    this.#atMs = nowMs;
    this.#left = Math.min(this.#most, this.#left + earned) - amount;
    return this.#left >= 0;
  }
}
