import type { Context } from 'hono';
import { routePath } from 'hono/route';
import { HoldfastError, describeError } from '../../kernel/index.ts';
import type { ErrorCode, Logger } from '../../kernel/index.ts';
import { AuthUnavailableError, ForbiddenError, UnauthorizedError } from '../auth/index.ts';
import { AdminDeniedError, LimitReachedError, UnavailableError, textForClients } from '../errors.ts';

type ErrorStatus = 400 | 401 | 403 | 404 | 409 | 413 | 429 | 500 | 501 | 502 | 503 | 504;

const STATUS: Readonly<Partial<Record<ErrorCode, ErrorStatus>>> = {
  HOLDFAST_BAD_REQUEST: 400,
  HOLDFAST_UNAUTHORIZED: 401,
  HOLDFAST_FORBIDDEN: 403,
  HOLDFAST_FORBIDDEN_HOST: 403,
  HOLDFAST_ADMIN_DENIED: 401,
  HOLDFAST_ADMIN_DISABLED: 403,
  HOLDFAST_AMBIGUOUS_SESSION: 409,
  HOLDFAST_APP_NOT_FOUND: 404,
  HOLDFAST_SESSION_NOT_FOUND: 404,
  HOLDFAST_ARTIFACT_NOT_FOUND: 404,
  HOLDFAST_EVENT_NOT_FOUND: 404,
  HOLDFAST_ARTIFACT_REFUSED: 400,
  HOLDFAST_SESSION_EXISTS: 409,
  HOLDFAST_REPLACED: 409,
  HOLDFAST_BODY_TOO_LARGE: 413,
  HOLDFAST_LIMIT_REACHED: 429,
  HOLDFAST_QUOTA: 429,
  HOLDFAST_NOT_IMPLEMENTED: 501,
  HOLDFAST_AUTHENTICATION: 502,
  HOLDFAST_INVALID_REQUEST: 502,
  HOLDFAST_CONNECTION_LOST: 502,
  HOLDFAST_HANDLE_REJECTED: 502,
  HOLDFAST_RECONNECT_EXHAUSTED: 502,
  HOLDFAST_OVERLOADED: 503,
  HOLDFAST_UNAVAILABLE: 503,
  HOLDFAST_AUTH_UNAVAILABLE: 503,
  HOLDFAST_QUEUE_FULL: 503,
  HOLDFAST_CLOSED: 503,
  HOLDFAST_CONNECT_TIMEOUT: 504,
  HOLDFAST_RUN_TIMEOUT: 504,
};

/** An error as HTTP tells it. */
export interface HttpFailure {
  readonly status: ErrorStatus;
  readonly headers: Readonly<Record<string, string>>;
  /** `error` is where JavaScript clients look for the text, `detail` where Python ones do. */
  readonly body: { readonly error: string; readonly detail: string; readonly code: string };
}

/** Errors that are not ours are told without their text: it may hold what is none of the client's business. */
export function httpFailureOf(error: unknown): HttpFailure {
  if (!(error instanceof HoldfastError)) {
    const text = 'The server failed. Its log says why.';
    return { status: 500, headers: {}, body: { error: text, detail: text, code: 'HOLDFAST_INTERNAL' } };
  }
  const text = textForClients(error);
  return {
    status: STATUS[error.code] ?? 500,
    headers: headersOf(error),
    body: { error: text, detail: text, code: error.code },
  };
}

/** What an error says beside its body: when to ask again, and with what. */
function headersOf(error: HoldfastError): Readonly<Record<string, string>> {
  // Whoever asks a server that is going away should ask another one, on another connection.
  if (error instanceof UnavailableError) {
    return { 'retry-after': String(error.retryAfterS), connection: 'close' };
  }
  if (error instanceof LimitReachedError && error.retryAfterS !== undefined) {
    return { 'retry-after': String(error.retryAfterS) };
  }
  // RFC 9110 11.6.1: a 401 says how to be let in.
  if (error instanceof AdminDeniedError) return { 'www-authenticate': 'Bearer realm="holdfast admin"' };
  if (error instanceof AuthUnavailableError) return { 'retry-after': String(error.retryAfterS) };
  if (error instanceof UnauthorizedError) return { 'www-authenticate': challengeOf(error) };
  if (error instanceof ForbiddenError) {
    return { 'www-authenticate': 'Bearer realm="holdfast", error="insufficient_scope"' };
  }
  return {};
}

/** RFC 6750, 3: who has brought nothing is told no error, who has brought something bad is told which. */
function challengeOf({ reason }: UnauthorizedError): string {
  const realm = 'Bearer realm="holdfast"';
  switch (reason) {
    case 'missing':
      return realm;
    case 'malformed':
    case 'token_in_url':
      return `${realm}, error="invalid_request"`;
    default:
      return `${realm}, error="invalid_token"`;
  }
}

/** Answers a request whose handler threw. */
export function answerError(error: unknown, c: Context, log: Logger): Response {
  const { status, headers, body } = httpFailureOf(error);
  // The route and not the path, which has the id of a user in it.
  if (status === 500) log.error('request failed', { route: routePath(c, -1), error: describeError(error) });
  return c.json(body, status, { ...headers });
}
