import { HoldfastError } from '../../kernel/index.ts';

/**
 * Why somebody was not let in, as the metric and the log line name it. A client is told in words, and no more than it
 * knows already.
 */
export const AUTH_FAILURE_REASONS = [
  /** Nothing was brought. */
  'missing',
  /** What was brought is no bearer token, or no token at all. */
  'malformed',
  /** A token stood in the URL. */
  'token_in_url',
  /** No token of ours. */
  'unknown_token',
  'expired',
  'not_yet_valid',
  'signature',
  'issuer',
  'audience',
  'algorithm',
  /** Signed with a key that its issuer does not publish. */
  'unknown_key',
  /** A claim is missing, or is not what it should be. */
  'claims',
  /** A ticket that was used, has expired, was never given, or was given for something else. */
  'ticket',
  /** Who asks is known, and may not. */
  'forbidden',
  /** Who wanted to administer the server may not. */
  'admin',
  /** The keys could not be had, or a check was not over in time. */
  'unavailable',
] as const;

export type AuthFailureReason = (typeof AUTH_FAILURE_REASONS)[number];

/** Who asks has brought nothing that says who it is, or something that is not good. Answered with 401. */
export class UnauthorizedError extends HoldfastError {
  readonly code = 'HOLDFAST_UNAUTHORIZED';
  readonly reason: AuthFailureReason;

  constructor(reason: AuthFailureReason, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.reason = reason;
  }
}

/** Who asks is known, and may not do what it asks for. Answered with 403. */
export class ForbiddenError extends HoldfastError {
  readonly code = 'HOLDFAST_FORBIDDEN';
}

/** Whether somebody may be let in cannot be found out now: keys cannot be had, or a check takes too long. 503. */
export class AuthUnavailableError extends HoldfastError {
  readonly code = 'HOLDFAST_AUTH_UNAVAILABLE';
  /** When it is worth asking again. */
  readonly retryAfterS: number;

  constructor(message: string, retryAfterS: number, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.retryAfterS = retryAfterS;
  }
}

/** A server without authentication was to listen where others than this machine reach it. */
export class InsecureListenError extends HoldfastError {
  readonly code = 'HOLDFAST_INSECURE_LISTEN';
}
