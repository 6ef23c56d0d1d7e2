import type { Lifetime } from '../../kernel/index.ts';
import { ClosedError, isThenable } from '../../kernel/index.ts';
import { AuthUnavailableError } from './errors.ts';

/** When it is worth asking again, where a check took too long. */
const RETRY_AFTER_S = 1;

export interface CheckBound {
  readonly owner: Lifetime;
  /** What it is called in logs. */
  readonly what: string;
  readonly boundMs: number;
}

/**
 * What `check` gives, within a bound; what comes later is not heard. One that answers at once is not waited for.
 * @throws AuthUnavailableError when it takes longer; ClosedError when the owner closes; what `check` throws.
 */
export function boundedCheck<Value>(
  bound: CheckBound,
  check: (signal: AbortSignal) => Value | Promise<Value>,
): Value | Promise<Value> {
  const patience = new AbortController();
  const answer = check(patience.signal);
  // Foreign code may give a promise of another kind.
  return isThenable(answer) ? wait(bound, Promise.resolve(answer), patience) : answer;
}

async function wait<Value>(
  { owner, what, boundMs }: CheckBound,
  answer: Promise<Value>,
  patience: AbortController,
): Promise<Value> {
  const over = Promise.withResolvers<never>();
  // Whichever of the two comes when nobody waits any more is no unhandled rejection.
  over.promise.catch(() => undefined);
  answer.catch(() => undefined);
  owner.own(what, patience, {
    stop: (held) => {
      held.abort();
      over.reject(new ClosedError('The server has closed.'));
    },
  });
  const timer = owner.timer(`time-out of ${what}`, boundMs, () => {
    patience.abort();
    owner.log.error('a check of access takes too long', { what, boundMs });
    over.reject(new AuthUnavailableError('Whether this is allowed is not known in time.', RETRY_AFTER_S));
  });
  try {
    return await Promise.race([answer, over.promise]);
  } finally {
    timer.cancel();
    owner.release(patience);
  }
}
