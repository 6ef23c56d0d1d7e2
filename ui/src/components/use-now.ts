import { useEffect, useState } from 'preact/hooks';
import { Lifetime, systemClock } from 'holdfast/client';

/** A countdown in seconds is never more than this behind. */
const TICK_MS = 250;

/** The time of day in milliseconds since the Unix epoch. While `isRunning` who asks for it is drawn again as it goes on. */
export function useNow(isRunning: boolean): number {
  const [, setTicks] = useState(0);
  useEffect(() => {
    if (!isRunning) return undefined;
    const scope = Lifetime.root({ name: 'countdown' });
    const tick = (): void => {
      setTicks((ticks) => ticks + 1);
      scope.timer('tick', TICK_MS, tick);
    };
    scope.timer('tick', TICK_MS, tick);
    return () => void scope.abort();
  }, [isRunning]);
  return systemClock.wallTime();
}
