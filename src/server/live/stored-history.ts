import type { Lifetime } from '../../kernel/index.ts';
import type { AgentSession, SessionStore } from '../../session/index.ts';

/**
 * A store answers in milliseconds, also across a network; one that needs two seconds is in trouble, and no client is
 * kept waiting for it longer. What it does later is observed.
 */
export const SAVE_BOUND_MS = 2_000;

/**
 * Stores the session when `scope` ends, whatever its journal has missed: after the live session has written its last
 * word, and before the client is told goodbye, so that who was told finds it stored. A store that hangs is named in the
 * report and holds up nothing.
 */
export function storeAtEnd(scope: Lifetime, store: SessionStore, { session, closed }: AgentSession): void {
  scope.own('history', session, {
    phase: 'settle',
    boundMs: SAVE_BOUND_MS,
    close: (stored) => closed.then(() => store.save(stored)),
  });
}
