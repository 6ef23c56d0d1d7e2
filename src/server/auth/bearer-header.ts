import { UnauthorizedError } from './errors.ts';

/** Twice what a token with many claims takes. Node reads headers up to 16 kB in all. */
export const MAX_TOKEN_CHARACTERS = 8_192;

/** RFC 6750, 2.1: `Bearer`, in any case, and a b64token. */
const BEARER = /^bearer +([A-Za-z0-9._~+/-]+=*) *$/i;

/** Names under which a token is known to be put into a URL (RFC 6750, 2.3), where logs and histories keep it. */
const TOKEN_PARAMETERS = ['access_token', 'token', 'auth_token'] as const;

/**
 * The token of an `Authorization` header; undefined where there is none.
 * @throws UnauthorizedError for what is no bearer token.
 */
export function bearerToken(authorization: string | undefined): string | undefined {
  if (authorization === undefined || authorization === '') return undefined;
  // Before it is looked at: a pattern is not run over what nobody would send.
  const token = authorization.length <= MAX_TOKEN_CHARACTERS ? BEARER.exec(authorization)?.[1] : undefined;
  if (token !== undefined) return token;
  throw new UnauthorizedError(
    'malformed',
    `The Authorization header is no bearer token of up to ${MAX_TOKEN_CHARACTERS} characters.`,
  );
}

/** @throws UnauthorizedError when a token stands in the query, good or not: it has been written down by then. */
export function refuseTokenInUrl(query: URLSearchParams): void {
  const name = TOKEN_PARAMETERS.find((each) => query.has(each));
  if (name === undefined) return;
  throw new UnauthorizedError(
    'token_in_url',
    `A token does not belong in a URL ('${name}'), where logs keep it. Send it in the Authorization header, or ask POST /tickets for a ticket.`,
  );
}
