import type { Clock } from './clock.ts';

/** A moment by which something must be over. Passed down instead of durations, so that bounds never add up. */
export class Deadline {
  readonly atMs: number;
  readonly #clock: Clock;

  private constructor(clock: Clock, atMs: number) {
    this.#clock = clock;
    this.atMs = atMs;
  }

  static after(clock: Clock, durationMs: number): Deadline {
    return new Deadline(clock, clock.now() + durationMs);
  }

  /** Milliseconds left, never below zero. */
  get remainingMs(): number {
    return Math.max(0, this.atMs - this.#clock.now());
  }

  get expired(): boolean {
    return this.remainingMs === 0;
  }

  /** The earlier of this deadline and one `durationMs` from now: the bound of a part inside the bound of the whole. */
  within(durationMs: number): Deadline {
    return new Deadline(this.#clock, Math.min(this.atMs, this.#clock.now() + durationMs));
  }
}
