import { timingSafeEqual } from 'node:crypto';
import { InvalidOptionError } from '../../kernel/index.ts';
import type { Authenticator } from './authenticator.ts';
import { UnauthorizedError } from './errors.ts';
import type { Grant, Identity } from './identity.ts';
import { secretDigest } from './secret-digest.ts';

/** A token that programs have, and what it allows. */
export interface BearerToken {
  /** At least `MIN_TOKEN_CHARACTERS`: `openssl rand -hex 32` makes one. */
  readonly token: string;
  /** What logs call it. Who comes back to a live session has to have the same. Default `token`. */
  readonly subject?: string;
  /** Default: all. */
  readonly apps?: Grant;
  /** Whom it may speak as. Default: everybody, as a program of yours does that knows its users. */
  readonly users?: Grant;
  /** Whether it opens `/admin/`. Default false. */
  readonly admin?: boolean;
}

/** Fewer can be guessed: 16 hexadecimal digits are 64 bits. */
export const MIN_TOKEN_CHARACTERS = 16;

/**
 * Tokens that are the same for as long as the server runs. Give the old one and the new one while you change them.
 *
 * They are kept as digests, and each check compares with all of them in the same time: neither how much of a token is
 * right nor which one it is can be told by the clock.
 * @throws InvalidOptionError for no token, and for one that is too short.
 */
export function bearerTokens(tokens: readonly (string | BearerToken)[]): Authenticator {
  const known = tokens.map((each) => {
    const {
      token,
      subject = 'token',
      apps = 'all',
      users = 'all',
      admin = false,
    } = typeof each === 'string' ? { token: each } : each;
    if (token.length < MIN_TOKEN_CHARACTERS || /[^\x21-\x7e]/.test(token)) {
      throw new InvalidOptionError(
        `A token has at least ${MIN_TOKEN_CHARACTERS} characters, none of them a space: \`openssl rand -hex 32\` makes one.`,
      );
    }
    return { digest: secretDigest(token), identity: { subject, apps, users, admin } satisfies Identity };
  });
  if (known.length === 0) throw new InvalidOptionError('bearerTokens needs one token at least.');
  return {
    open: () => (token) => {
      const digest = secretDigest(token);
      let found: Identity | undefined;
      for (const each of known) if (timingSafeEqual(digest, each.digest)) found = each.identity;
      if (found !== undefined) return found;
      throw new UnauthorizedError('unknown_token', 'This token is not known here.');
    },
  };
}
