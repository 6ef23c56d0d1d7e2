import { ClosedError } from '../kernel/index.ts';
import type { Lifetime } from '../kernel/index.ts';

/** Who waits for work that may never end. Emptied when the waiting is over: the work then holds nobody (clause C6). */
interface Waiting<Result> {
  outcome: PromiseWithResolvers<Result> | undefined;
}

/**
 * The result of `work`, or a ClosedError the moment `scope` closes, whichever comes first. What `work` does later is
 * observed. The scope holds the waiting, not the other way round: nothing is raced against a long-lived promise.
 */
export function untilClosed<Result>(scope: Lifetime, work: () => Promise<Result>): Promise<Result> {
  const outcome = Promise.withResolvers<Result>();
  const waiting: Waiting<Result> = { outcome };
  scope.own('connecting', waiting, {
    stop: (held) => {
      held.outcome?.reject(new ClosedError('The connection attempt was ended.'));
      held.outcome = undefined;
    },
  });
  settleWith(waiting, Promise.resolve().then(work), scope);
  return outcome.promise;
}

/** A function of its own, so that what hangs on the work knows these three and not what the work was made of. */
function settleWith<Result>(waiting: Waiting<Result>, work: Promise<Result>, scope: Lifetime): void {
  work.then(
    (result) => {
      scope.release(waiting);
      waiting.outcome?.resolve(result);
    },
    (error: unknown) => {
      scope.release(waiting);
      waiting.outcome?.reject(error);
    },
  );
}
