import type { Random } from '../kernel/index.ts';
import { OverloadedError, ProviderError } from './errors.ts';
import type { ReconnectMeter, ReconnectUse } from './errors.ts';
import { MAX_RETRY_AFTER_MS, reconnectDelayMs } from './reconnect-policy.ts';
import type { ReconnectPolicy } from './reconnect-policy.ts';

/** The next attempt, or the bound that forbids it. */
export type NextAttempt =
  | { readonly tag: 'attempt'; readonly attempt: number; readonly delayMs: number }
  | { readonly tag: 'exhausted'; readonly meter: ReconnectMeter };

/**
 * The three meters of clause R4: attempts of an outage, its time, and the dials of the whole live session.
 *
 * An outage ends with progress or stability, which its owner tells by `healthy`, and not with a handshake: what is
 * accepted and dropped again goes on being the same outage.
 */
export class ReconnectMeters {
  readonly #policy: ReconnectPolicy;
  readonly #random: Random;
  #attempts = 0;
  #redials = 0;
  #outageSinceMs: number | undefined;
  /** Whether the connection that is being replaced had been healthy. */
  #wasHealthy = true;

  constructor(policy: ReconnectPolicy, random: Random) {
    this.#policy = policy;
    this.#random = random;
  }

  /** A connection was lost, or is given up for another one. */
  lost(nowMs: number, wasHealthy: boolean): void {
    if (wasHealthy) {
      this.#attempts = 0;
      this.#outageSinceMs = undefined;
    }
    this.#wasHealthy = wasHealthy;
    this.#outageSinceMs ??= nowMs;
  }

  used(nowMs: number): ReconnectUse {
    const outageMs = this.#outageSinceMs === undefined ? 0 : Math.round(nowMs - this.#outageSinceMs);
    return { attempts: this.#attempts, outageMs, redials: this.#redials };
  }

  /**
   * Counts the next attempt. `error` is how the last one failed; a provider that says when to come again is not asked
   * sooner. With `atOnce` there is no delay: what failed was the handle, not the provider (clause R6).
   */
  next(nowMs: number, error: unknown, atOnce = false): NextAttempt {
    const { maxAttempts, maxOutageMs, maxRedials } = this.#policy;
    const { attempts, redials, outageMs } = this.used(nowMs);
    if (attempts >= maxAttempts) return { tag: 'exhausted', meter: 'attempts' };
    if (redials >= maxRedials) return { tag: 'exhausted', meter: 'redials' };
    const attempt = attempts + 1;
    const scheduledMs = reconnectDelayMs(this.#policy, attempt, this.#wasHealthy, this.#random);
    const delayMs = atOnce ? 0 : Math.max(scheduledMs, askedDelayMs(error, this.#policy));
    if (outageMs + delayMs > maxOutageMs) return { tag: 'exhausted', meter: 'outageMs' };
    this.#attempts = attempt;
    this.#redials = redials + 1;
    return { tag: 'attempt', attempt, delayMs };
  }
}

/** How long the provider asks to wait, in its words or by being overloaded. */
function askedDelayMs(error: unknown, { overloadDelayMs }: ReconnectPolicy): number {
  if (error instanceof ProviderError && error.failure.retryAfterMs !== undefined)
    return Math.min(error.failure.retryAfterMs, MAX_RETRY_AFTER_MS);
  return error instanceof OverloadedError ? overloadDelayMs : 0;
}
