import type { Deadline, Lifetime } from '../../kernel/index.ts';
import type { Calls } from '../calls/index.ts';

/**
 * Between two batches, in milliseconds. Who is told to go comes back somewhere else with a TLS handshake, a look into the store
 * and a dial to a model; half a second lets most of a batch be done with that before the next one comes.
 */
export const GO_AWAY_INTERVAL_MS = 500;

/**
 * How many are told at a time, where there is time for that. A core does some hundred handshakes a second, so 25 in half a
 * second are a burden that is felt by nobody. A full server of 1,000 calls is told in 40 batches, which are 20 s.
 */
export const GO_AWAY_BATCH = 25;

/**
 * All are told within this share of the time that is left to them, so that the last one has nine tenths of it: with 300 s in
 * 30 s, or 60 batches. Where 60 batches of 25 are too few, the batches are larger; with 5 s left there is one.
 */
export const GO_AWAY_SHARE = 0.1;

/** Tells every call that the server is going away: not all at once, so that they do not come to another one all at once. */
export function tellAllToGo(scope: Lifetime, calls: Calls, deadline: Deadline): void {
  let untold = calls.all;
  const batches = Math.max(1, Math.floor((deadline.remainingMs * GO_AWAY_SHARE) / GO_AWAY_INTERVAL_MS));
  const batchSize = Math.max(GO_AWAY_BATCH, Math.ceil(untold.length / batches));
  const tellNext = (): void => {
    // Who has ended meanwhile takes nobody's place.
    untold = untold.filter((call) => calls.has(call));
    for (const call of untold.slice(0, batchSize)) call.goAway(deadline.remainingMs);
    untold = untold.slice(batchSize);
    if (untold.length > 0 && !scope.isClosing) scope.timer('go away', GO_AWAY_INTERVAL_MS, tellNext);
  };
  tellNext();
}
