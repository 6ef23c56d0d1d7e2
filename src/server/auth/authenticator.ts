import type { Lifetime } from '../../kernel/index.ts';
import { UnauthorizedError } from './errors.ts';
import type { Identity } from './identity.ts';

/**
 * Says whose a token is.
 * @throws UnauthorizedError for one that is not good; AuthUnavailableError when that cannot be found out.
 */
export type TokenCheck = (token: string) => Identity | Promise<Identity>;

/**
 * A way to know who asks: `bearerTokens()`, `jwt()`, or one of your own.
 *
 * ```ts
 * const mine: Authenticator = {
 *   open: () => async (token) => ({ subject: await lookUp(token), apps: 'all', users: 'all', admin: false }),
 * };
 * ```
 */
export interface Authenticator {
  /** Called once by each server. What the check holds or has under way belongs to `owner`. */
  open(owner: Lifetime): TokenCheck;
}

/** One check of several: each is asked until one knows the token. A token that one knows and refuses is refused. */
export function openAll(authenticators: readonly Authenticator[], owner: Lifetime): TokenCheck {
  const checks = authenticators.map((each) => each.open(owner));
  const [only] = checks;
  if (checks.length === 1 && only !== undefined) return only;
  return async (token) => {
    let failure: unknown = new UnauthorizedError('unknown_token', 'This token is not known here.');
    for (const check of checks) {
      try {
        return await check(token);
      } catch (error) {
        failure = error;
        if (!isUnknown(error)) break;
      }
    }
    throw failure;
  };
}

/** It may be one that the next check knows: another token, or one of another kind. */
function isUnknown(error: unknown): boolean {
  return error instanceof UnauthorizedError && ['unknown_token', 'malformed'].includes(error.reason);
}
