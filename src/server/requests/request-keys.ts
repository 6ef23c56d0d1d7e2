import { parseJsonObject } from '../../protocol/index.ts';
import type { SessionKey } from '../../session/index.ts';
import { BadRequestError } from '../errors.ts';
import { parseLiveQuery } from './live-query.ts';
import { checkedName, stringField } from './request-input.ts';
import type { JsonBody } from './request-input.ts';

/** What by POST names its session in its body: whose it is can only be told by reading that. */
export const PATHS_WITH_BODIES: ReadonlySet<string> = new Set(['/run', '/run_sse', '/tickets']);

/** The session that a body names, such as that of `/run`. @throws BadRequestError that says which name is missing. */
export function sessionKeyOf(body: JsonBody): SessionKey {
  const appName = stringField(body, 'appName', 'app_name');
  if (appName === undefined) throw new BadRequestError("'appName' is missing.");
  return {
    appName,
    userId: checkedName('user', stringField(body, 'userId', 'user_id')),
    id: checkedName('session', stringField(body, 'sessionId', 'session_id')),
  };
}

/** The same of a body that is still text; undefined where it names none, and is refused by whoever answers it. */
export function keyOfBody(text: string): SessionKey | undefined {
  const parsed = parseJsonObject(text.trim(), { maxMessageBytes: Number.MAX_SAFE_INTEGER });
  return parsed.ok ? unlessRefused(() => sessionKeyOf(parsed.value)) : undefined;
}

/** The session that an upgrade names; undefined where it names none. */
export function keyOfUpgrade(url: string): SessionKey | undefined {
  return unlessRefused(() => parseLiveQuery(new URL(url, 'http://localhost').searchParams).key);
}

/** Everything that is of one session, its artifacts too. */
const SESSION_PATH = /^(?:\/dev\/apps\/[^/]+)?\/apps\/([^/]+)\/users\/([^/]+)\/sessions\/([^/]+)(?:\/.*)?$/;

/** The session that a path names; undefined where it names none. */
export function keyOfPath(path: string): SessionKey | undefined {
  const [, appName, userId, id] = SESSION_PATH.exec(path) ?? [];
  if (appName === undefined || userId === undefined || id === undefined) return undefined;
  return unlessRefused(() => ({
    appName: decodeURIComponent(appName),
    userId: decodeURIComponent(userId),
    id: decodeURIComponent(id),
  }));
}

/** What does not name a session is not routed by it; the error is made where the request is answered. */
function unlessRefused(read: () => SessionKey): SessionKey | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
