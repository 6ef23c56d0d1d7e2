import type { Clock } from '../../src/kernel/index.ts';
import { tool } from '../../src/session/index.ts';
import type { Tool } from '../../src/session/index.ts';

/** A lookup that takes this long; `heedsSignal` says whether it stops when it is told to. */
export function lookup(clock: Clock, tookMs: number, heedsSignal = true): Tool {
  return tool({
    name: 'lookup',
    description: 'Looks something up, slowly.',
    execute: (_args, { signal }) =>
      new Promise((resolve) => {
        const found = clock.setTimer(tookMs, () => resolve({ found: true }));
        if (!heedsSignal) return;
        signal.addEventListener('abort', () => {
          found.cancel();
          resolve({ found: false });
        });
      }),
  });
}
