import { Latencies } from './latencies.ts';
import { microsSince } from './stamp.ts';

/** What arrived at either end of the relay since it was last cleared. */
export class Arrivals {
  readonly latencies = new Latencies();
  /** Frames without a stamp that makes sense: a relay that spoils audio shows here. */
  spoiled = 0;
  /** Connections that ended without having been told to. */
  lostConnections = 0;
  /** Told of every frame; for who sends the next one when one has arrived. */
  onFrame: (() => void) | undefined;

  add(stamp: number, now: number): void {
    if (Number.isNaN(stamp)) this.spoiled += 1;
    else this.latencies.add(microsSince(stamp, now));
    this.onFrame?.();
  }

  clear(): void {
    this.latencies.clear();
    this.spoiled = 0;
  }
}
