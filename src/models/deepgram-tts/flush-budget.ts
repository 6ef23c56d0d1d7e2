import type { Clock } from '../../kernel/index.ts';

/** How many flushes the service takes in {@link FLUSH_WINDOW_MS}, as its documentation says. */
export const FLUSHES_PER_WINDOW = 20;

/** The time in which flushes are counted, as its documentation says. */
export const FLUSH_WINDOW_MS = 60_000;

/**
 * So many flushes there may be before the beginning of an utterance is no longer flushed for itself: the rest is for
 * the ends of utterances, without which they never end.
 */
export const FLUSHES_FOR_BEGINNINGS = 15;

/** The same of what follows in an utterance: there is audio already, so that a late one is not heard as a pause. */
export const FLUSHES_FOR_MORE = 8;

/** Counts the flushes of one connection: the service refuses those that are too many, and counts for each connection. */
export class FlushBudget {
  readonly #clock: Clock;
  /** Never more than are sent in a window. */
  #sentAtMs: number[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether fewer than `limit` were sent lately. */
  allows(limit: number): boolean {
    return this.#recent().length < limit;
  }

  sent(): void {
    this.#sentAtMs = [...this.#recent(), this.#clock.now()];
  }

  #recent(): readonly number[] {
    const sinceMs = this.#clock.now() - FLUSH_WINDOW_MS;
    return this.#sentAtMs.filter((atMs) => atMs > sinceMs);
  }
}
