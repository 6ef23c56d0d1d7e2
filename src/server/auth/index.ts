/** Who may speak to the server: tokens, what they grant, and the hook that has the last word. */
export {
  ADMIN_TOKEN_PATTERN,
  AdminAccess,
  MAX_ADMIN_TOKEN_CHARACTERS,
  MIN_ADMIN_TOKEN_CHARACTERS,
} from './admin-access.ts';
export { Access, DEFAULT_AUTHORIZE_TIMEOUT_MS, DEFAULT_TOKEN_CHECK_TIMEOUT_MS } from './access.ts';
export { accessRoutes, identityOf } from './access-routes.ts';
export { askerOf, askerOfUpgrade } from './asker.ts';
export type { Asker } from './asker.ts';
export type { Authenticator, TokenCheck } from './authenticator.ts';
export type { Action, ActionTarget, AuthorizeHook, AuthorizeRequest } from './authorize-hook.ts';
export { MAX_TOKEN_CHARACTERS } from './bearer-header.ts';
export { MIN_TOKEN_CHARACTERS, bearerTokens } from './bearer-tokens.ts';
export type { BearerToken } from './bearer-tokens.ts';
export {
  AUTH_FAILURE_REASONS,
  AuthUnavailableError,
  ForbiddenError,
  InsecureListenError,
  UnauthorizedError,
} from './errors.ts';
export type { AuthFailureReason } from './errors.ts';
export { grants } from './identity.ts';
export type { Grant, Identity } from './identity.ts';
export {
  DEFAULT_CLOCK_TOLERANCE_S,
  MIN_SECRET_BYTES,
  PUBLIC_KEY_ALGORITHMS,
  SECRET_ALGORITHMS,
  jwt,
} from './jwt.ts';
export type { JwtOptions } from './jwt.ts';
export {
  DEFAULT_KEYS_COOLDOWN_MS,
  DEFAULT_KEYS_MAX_AGE_MS,
  DEFAULT_KEYS_MAX_STALE_MS,
  DEFAULT_KEYS_TIMEOUT_MS,
} from './remote-keys.ts';
export { secretDigest } from './secret-digest.ts';
export { offeredSubprotocols } from './ticket-offer.ts';
export { MAX_TICKETS, MAX_TICKETS_PER_USER, TICKET_LIFETIME_MS } from './tickets.ts';
export type { TicketTarget } from './tickets.ts';
