import { ClosedError } from '../kernel/index.ts';
import type { ClosingStep, Lifetime } from '../kernel/index.ts';

/**
 * How long somebody else's code may take to end once its scope has closed, before it is left behind by name. All it owes
 * then is to settle: a request that is aborted does so in milliseconds, and a close waits for nobody who does not.
 */
export const FOREIGN_UNWIND_MS = 250;

/** Who waits for work that may never end. Emptied when the waiting is over: the work then holds nobody (clause C6). */
interface Waiting<Result> {
  outcome: PromiseWithResolvers<Result> | undefined;
  /** Resolves when the work has settled, however. */
  readonly settled: Promise<void> | undefined;
}

/** What the scope's steps know of it. */
interface Unwanted {
  outcome: Pick<PromiseWithResolvers<never>, 'reject'> | undefined;
  readonly settled: Promise<void> | undefined;
}

const STOP_WAITING: ClosingStep<Unwanted> = {
  stop: (waiting) => {
    waiting.outcome?.reject(new ClosedError('The connection attempt was ended.'));
    waiting.outcome = undefined;
  },
};

const FOREIGN_WORK: ClosingStep<Unwanted> = {
  ...STOP_WAITING,
  phase: 'settle',
  boundMs: FOREIGN_UNWIND_MS,
  close: (waiting) => waiting.settled,
};

/**
 * The result of `work`, or a ClosedError the moment `scope` closes, whichever comes first. What `work` does later is
 * observed. The scope holds the waiting, not the other way round: nothing is raced against a long-lived promise.
 */
export function untilClosed<Result>(scope: Lifetime, work: () => Promise<Result>): Promise<Result> {
  const waiting: Waiting<Result> = { outcome: Promise.withResolvers<Result>(), settled: undefined };
  scope.own<Unwanted>('connecting', waiting, STOP_WAITING);
  return waitFor(waiting, work, scope);
}

/**
 * The same for code of somebody else, under the name it has in the close report: it was told to end with its scope, and
 * one that has not within
 * {@link FOREIGN_UNWIND_MS} is left behind by name (clause C4).
 */
export function foreignUntilClosed<Result>(
  scope: Lifetime,
  name: string,
  work: () => Promise<Result>,
): Promise<Result> {
  const ended = Promise.withResolvers<void>();
  const waiting: Waiting<Result> = { outcome: Promise.withResolvers<Result>(), settled: ended.promise };
  scope.own<Unwanted>(name, waiting, FOREIGN_WORK);
  return waitFor(waiting, work, scope, ended.resolve);
}

function waitFor<Result>(
  waiting: Waiting<Result>,
  work: () => Promise<Result>,
  scope: Lifetime,
  ended?: () => void,
): Promise<Result> {
  const { outcome } = waiting;
  settleWith(waiting, Promise.resolve().then(work), scope, ended);
  return outcome?.promise ?? Promise.reject(new ClosedError('The connection attempt was ended.'));
}

/** A function of its own, so that what hangs on the work knows these four and not what the work was made of. */
function settleWith<Result>(
  waiting: Waiting<Result>,
  work: Promise<Result>,
  scope: Lifetime,
  ended: (() => void) | undefined,
): void {
  work.then(
    (result) => {
      ended?.();
      scope.release(waiting);
      waiting.outcome?.resolve(result);
    },
    (error: unknown) => {
      ended?.();
      scope.release(waiting);
      waiting.outcome?.reject(error);
    },
  );
}
