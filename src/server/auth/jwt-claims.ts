import type { JWTPayload } from 'jose';
import { UnauthorizedError } from './errors.ts';
import type { Grant, Identity } from './identity.ts';

/** What a scope gives is written so: `app:greeter`, `app:*`. */
const APP_SCOPE = 'app:';
const ALL = '*';
/** May speak as everybody, as a program does that knows its users. */
const ALL_USERS_SCOPE = 'users:*';
const ADMIN_SCOPE = 'admin';

/**
 * What a token that has been checked says of who brings it:
 *
 * - `sub` is the user, and the only one it may speak as, unless a scope is `users:*`.
 * - `apps`, an array of names or `*`, and scopes `app:<name>` or `app:*`, say which apps. With neither it is all of them:
 *   that a token is for this server at all is what its audience says.
 * - a scope `admin` opens `/admin/`.
 *
 * Scopes stand in `scope`, separated by spaces (RFC 8693, 4.2), or in `scp`, as some issuers have it.
 * @throws UnauthorizedError for a claim that is not of its kind.
 */
export function identityOfClaims(claims: JWTPayload): Identity {
  const { sub, exp } = claims;
  if (typeof sub !== 'string' || sub === '') {
    throw new UnauthorizedError('claims', "The token has no 'sub'.");
  }
  const scopes = new Set([...words('scope', claims['scope']), ...words('scp', claims['scp'])]);
  return {
    subject: sub,
    apps: appsOf(claims['apps'], scopes),
    users: scopes.has(ALL_USERS_SCOPE) ? 'all' : [sub],
    admin: scopes.has(ADMIN_SCOPE),
    ...(exp === undefined ? {} : { expiresAtMs: exp * 1_000 }),
    claims,
  };
}

function appsOf(claim: unknown, scopes: ReadonlySet<string>): Grant {
  const named = [...scopes]
    .filter((scope) => scope.startsWith(APP_SCOPE))
    .map((scope) => scope.slice(APP_SCOPE.length));
  if (claim === undefined && named.length === 0) return 'all';
  const apps = [...named, ...(claim === undefined ? [] : words('apps', claim))];
  return apps.includes(ALL) ? 'all' : apps;
}

/** An array of texts, or a text of words. */
function words(name: string, claim: unknown): readonly string[] {
  if (claim === undefined) return [];
  if (typeof claim === 'string') return claim.split(' ').filter((word) => word !== '');
  if (Array.isArray(claim) && claim.every((each): each is string => typeof each === 'string')) return claim;
  throw new UnauthorizedError('claims', `The token's '${name}' is neither a text nor a list of texts.`);
}
