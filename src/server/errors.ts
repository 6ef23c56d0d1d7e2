import { HoldfastError, describeError } from '../kernel/index.ts';
import { StoreError } from '../session/session-store.ts';

/** No app of this name is served. */
export class AppNotFoundError extends HoldfastError {
  readonly code = 'HOLDFAST_APP_NOT_FOUND';
}

/** No session of this id is stored. */
export class SessionNotFoundError extends HoldfastError {
  readonly code = 'HOLDFAST_SESSION_NOT_FOUND';
}

/** No artifact of this name, or no such version of it, is kept. */
export class ArtifactNotFoundError extends HoldfastError {
  readonly code = 'HOLDFAST_ARTIFACT_NOT_FOUND';
}

/** No event of this id is known, or nothing more is known of it. */
export class EventNotFoundError extends HoldfastError {
  readonly code = 'HOLDFAST_EVENT_NOT_FOUND';
}

/** The route is known and does nothing here. The message says why. */
export class NotImplementedError extends HoldfastError {
  readonly code = 'HOLDFAST_NOT_IMPLEMENTED';
}

/** An agent's file cannot be used. The message says which one, why, and what to write instead. */
export class AgentLoadError extends HoldfastError {
  readonly code = 'HOLDFAST_AGENT_LOAD';
}

/** A request is not what the route takes. The message names what is wrong with it. */
export class BadRequestError extends HoldfastError {
  readonly code = 'HOLDFAST_BAD_REQUEST';
}

/** A request asks for a host, or comes from an origin, that this server does not answer to. */
export class ForbiddenHostError extends HoldfastError {
  readonly code = 'HOLDFAST_FORBIDDEN_HOST';
}

/** Nobody can administer this server: it has no token for that. */
export class AdminDisabledError extends HoldfastError {
  readonly code = 'HOLDFAST_ADMIN_DISABLED';
}

/** A request for administration has no token, or one that does not administer this server. */
export class AdminDeniedError extends HoldfastError {
  readonly code = 'HOLDFAST_ADMIN_DENIED';
}

/** More than one live session is meant, of several users or apps. The message says how to choose. */
export class AmbiguousSessionError extends HoldfastError {
  readonly code = 'HOLDFAST_AMBIGUOUS_SESSION';
}

/** The body of a request is larger than `maxBodyBytes`. */
export class BodyTooLargeError extends HoldfastError {
  readonly code = 'HOLDFAST_BODY_TOO_LARGE';
}

/** The server takes no new session: it drains, or is full. Another server may. */
export class UnavailableError extends HoldfastError {
  readonly code = 'HOLDFAST_UNAVAILABLE';
  readonly retryAfterS: number;

  constructor(message: string, retryAfterS: number) {
    super(message);
    this.retryAfterS = retryAfterS;
  }
}

/** A user or an address has reached a bound of its own. Others are served. */
export class LimitReachedError extends HoldfastError {
  readonly code = 'HOLDFAST_LIMIT_REACHED';
  /** After how many seconds to ask again; undefined where waiting alone does not help. */
  readonly retryAfterS: number | undefined;

  constructor(message: string, retryAfterS?: number) {
    super(message);
    this.retryAfterS = retryAfterS;
  }
}

/** The server cannot listen where it was told to. */
export class ListenError extends HoldfastError {
  readonly code = 'HOLDFAST_LISTEN';
}

/** The certificate a server is to show, and its key, cannot be used. */
export class TlsError extends HoldfastError {
  readonly code = 'HOLDFAST_TLS';
}

/** A text turn was not answered in time. */
export class RunTimeoutError extends HoldfastError {
  readonly code = 'HOLDFAST_RUN_TIMEOUT';
}

/** A message of a client is not one of its wire, or comes when it cannot be taken. Nothing else is harmed by it. */
export class BadMessageError extends HoldfastError {
  readonly code = 'HOLDFAST_BAD_MESSAGE';
}

/** A client of a text turn was overtaken by a newer client of the same session. */
export class ReplacedError extends HoldfastError {
  readonly code = 'HOLDFAST_REPLACED';
}

/** The text of an error as clients are told it. Where sessions are kept, and what is wrong there, is not for them. */
export function textForClients(error: unknown): string {
  if (error instanceof StoreError)
    return 'Sessions cannot be kept or read now. The log of the server says why.';
  return describeError(error);
}
