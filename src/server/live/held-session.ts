import type { SessionKey } from '../../session/index.ts';
import { sessionKey } from '../calls/index.ts';
import { LiveCall } from './live-call.ts';
import type { ServerContext } from '../server-context.ts';

/**
 * Whether this server drains and has the session live. What is for that session is then taken here and not refused: sent to
 * another server, it would make the session live a second time.
 */
export function isHeldInDrain({ calls, drain }: ServerContext, key: SessionKey): boolean {
  return drain.stage.tag === 'refusing' && calls.holding(sessionKey(key)) instanceof LiveCall;
}

/** Whether a client that has lost its connection could go on with a live session that is here. */
export function isResumable({ calls }: ServerContext, key: SessionKey): boolean {
  const holder = calls.holding(sessionKey(key));
  return holder instanceof LiveCall && holder.isResumable;
}
