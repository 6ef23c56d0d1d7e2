import { describeError, isThenable } from '../../kernel/index.ts';
import type { Logger } from '../../kernel/index.ts';
import type { AgentSession } from '../../session/index.ts';

/** What stands around each call: it is given the live session before that starts, and hands it what is to end with it. */
export type SessionHook = (session: AgentSession) => unknown;

/** Calls the hook. Whatever it does, the call goes on (clause C8). */
export function callSessionHook(hook: SessionHook | undefined, session: AgentSession, log: Logger): void {
  const failed = failedHook(log);
  try {
    const result = hook?.(session);
    if (isThenable(result)) Promise.resolve(result).catch(failed);
  } catch (error) {
    failed(error);
  }
}

/** A function of its own, so that a hook that never settles holds a logger and no session (clause C6). */
function failedHook(log: Logger): (error: unknown) => void {
  return (error) => log.error('onLiveSession failed', { error: describeError(error) });
}
