import type { Arrivals } from './arrivals.ts';
import type { Sender } from './pacer.ts';

/** Frames under way at a time: enough to keep the relay busy, too few to fill a socket. */
const UNDER_WAY = 32;
const STALL_MS = 10_000;

/** Sends `count` frames, in turn from every sender, each as soon as an earlier one has arrived. */
export function flood(senders: readonly Sender[], arrivals: Arrivals, count: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let sent = 0;
    let arrived = 0;
    let seen = -1;
    const watch = setInterval(() => {
      if (arrived === seen) end(() => reject(new Error(`stalled: ${arrived} of ${sent} frames arrived`)));
      seen = arrived;
    }, STALL_MS);
    const end = (settle: () => void): void => {
      clearInterval(watch);
      arrivals.onFrame = undefined;
      settle();
    };
    const send = (): void => {
      senders[sent % senders.length]?.sendFrame();
      sent += 1;
    };
    arrivals.onFrame = () => {
      arrived += 1;
      if (arrived === count) end(resolve);
      else if (sent < count) send();
    };
    for (let first = 0; first < Math.min(UNDER_WAY, count); first += 1) send();
  });
}
