import { HoldfastError, InvalidOptionError, describeError } from './errors.ts';
import type { Lifetime } from './lifetime.ts';
import type { Random } from './random.ts';

/** How often and how patiently something is tried again. A value: it can be shown, compared and tested by itself. */
export interface RetryPolicy {
  /** How many attempts in all, the first included. */
  readonly maxAttempts: number;
  /** The delay before attempt 1, 2, 3 …, in milliseconds; the last one repeats. The first is usually 0. */
  readonly delaysMs: readonly number[];
  /** Added to every delay above zero: a random part of up to this many milliseconds, after any cap (clause R3). */
  readonly jitterMs: number;
}

/** Every attempt failed. `cause` is the last failure. */
export class RetryExhaustedError extends HoldfastError {
  readonly code = 'HOLDFAST_RETRY_EXHAUSTED';
  readonly attempts: number;

  constructor(attempts: number, cause: unknown) {
    super(`Gave up after ${attempts} attempts. The last one failed: ${describeError(cause)}`, { cause });
    this.attempts = attempts;
  }
}

/** The delay before `attempt` (1 is the first), jitter included. */
export function retryDelayMs(policy: RetryPolicy, attempt: number, random: Random): number {
  const delayMs = policy.delaysMs[Math.min(attempt, policy.delaysMs.length) - 1] ?? 0;
  return delayMs === 0 ? 0 : delayMs + random.next() * policy.jitterMs;
}

export interface RetryOptions<Result> {
  readonly policy: RetryPolicy;
  readonly random: Random;
  /**
   * Owns the waiting: closing it ends a delay at once, and no attempt begins after it. An attempt under way ends by what
   * it has registered with this owner, or with a child of it.
   */
  readonly scope: Lifetime;
  /** One try. It gets its number, starting at 1. */
  attempt(number: number): Promise<Result>;
  /** Whether another attempt can help. Default: always. */
  isWorthRetrying?(error: unknown): boolean;
}

/**
 * Tries until one attempt succeeds.
 * @throws RetryExhaustedError when the last allowed attempt failed; ClosedError when `scope` closed; the attempt's
 * own error when it is not worth retrying; InvalidOptionError for a policy that allows no attempt.
 */
export async function retry<Result>(options: RetryOptions<Result>): Promise<Result> {
  const { policy, random, scope } = options;
  if (!(policy.maxAttempts >= 1)) {
    throw new InvalidOptionError(`maxAttempts must be at least 1; it was ${policy.maxAttempts}.`);
  }
  for (let number = 1; ; number += 1) {
    const delayMs = retryDelayMs(policy, number, random);
    if (delayMs > 0) await scope.sleep(delayMs);
    scope.throwIfClosing();
    try {
      return await options.attempt(number);
    } catch (error) {
      scope.throwIfClosing();
      if (options.isWorthRetrying?.(error) === false) throw error;
      if (number >= policy.maxAttempts) throw new RetryExhaustedError(number, error);
    }
  }
}
