import type { Lifetime } from '../kernel/index.ts';
import type { LimitName } from '../protocol/index.ts';

/** Limits of one live session, in milliseconds; `Infinity` switches one off. */
export interface SessionLimits {
  /** Nothing came from the client and nothing from the model for this long. Default `DEFAULT_IDLE_TIMEOUT_MS`. */
  readonly idleTimeoutMs: number;
  /** The whole live session. Default `DEFAULT_MAX_DURATION_MS`. */
  readonly maxDurationMs: number;
}

/** An open microphone sends all the time, so a quarter of an hour without a frame is a client that was forgotten. */
export const DEFAULT_IDLE_TIMEOUT_MS = 15 * 60_000;

/** Longer than any call anybody means to make; what runs on is a zombie that bills. */
export const DEFAULT_MAX_DURATION_MS = 4 * 60 * 60_000;

/** Watches the limits of a live session. Noting activity costs one look at the clock, and sets no timer anew. */
export class LimitWatch {
  readonly #owner: Lifetime;
  readonly #idleTimeoutMs: number;
  readonly #reached: (limit: LimitName, afterMs: number) => void;
  #activeAtMs: number;

  constructor(owner: Lifetime, limits: SessionLimits, reached: (limit: LimitName, afterMs: number) => void) {
    this.#owner = owner;
    this.#idleTimeoutMs = limits.idleTimeoutMs;
    this.#reached = reached;
    this.#activeAtMs = owner.clock.now();
    const { maxDurationMs } = limits;
    if (maxDurationMs !== Infinity)
      owner.timer('duration limit', maxDurationMs, () => reached('duration', maxDurationMs));
    this.#armIdle(this.#idleTimeoutMs);
  }

  /** Something was said by either side. */
  active(): void {
    this.#activeAtMs = this.#owner.clock.now();
  }

  #armIdle(delayMs: number): void {
    if (delayMs === Infinity) return;
    this.#owner.timer('idle limit', delayMs, () => {
      const idleMs = this.#owner.clock.now() - this.#activeAtMs;
      if (idleMs < this.#idleTimeoutMs) this.#armIdle(this.#idleTimeoutMs - idleMs);
      else this.#reached('idle', this.#idleTimeoutMs);
    });
  }
}
