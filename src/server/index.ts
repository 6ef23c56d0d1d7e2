/** Serving agents over HTTP and WebSockets, by itself or inside a server of your own. */
export {
  AUTH_FAILURE_REASONS,
  AuthUnavailableError,
  DEFAULT_AUTHORIZE_TIMEOUT_MS,
  DEFAULT_CLOCK_TOLERANCE_S,
  DEFAULT_KEYS_COOLDOWN_MS,
  DEFAULT_KEYS_MAX_AGE_MS,
  DEFAULT_KEYS_MAX_STALE_MS,
  DEFAULT_KEYS_TIMEOUT_MS,
  DEFAULT_TOKEN_CHECK_TIMEOUT_MS,
  ForbiddenError,
  InsecureListenError,
  MAX_ADMIN_TOKEN_CHARACTERS,
  MAX_TICKETS,
  MAX_TICKETS_PER_USER,
  MAX_TOKEN_CHARACTERS,
  MIN_ADMIN_TOKEN_CHARACTERS,
  MIN_SECRET_BYTES,
  MIN_TOKEN_CHARACTERS,
  PUBLIC_KEY_ALGORITHMS,
  SECRET_ALGORITHMS,
  TICKET_LIFETIME_MS,
  UnauthorizedError,
  bearerTokens,
  jwt,
} from './auth/index.ts';
export { AGENT_FILES, AppRegistry, DEFAULT_AGENT_LOAD_TIMEOUT_MS, loadAgents } from './apps/index.ts';
export type { App, LoadAgentsOptions } from './apps/index.ts';
export type {
  Action,
  ActionTarget,
  AuthFailureReason,
  Authenticator,
  AuthorizeHook,
  AuthorizeRequest,
  BearerToken,
  Grant,
  Identity,
  JwtOptions,
  TokenCheck,
} from './auth/index.ts';
export type { DrainProgress, DrainReport, DrainStage } from './drain/index.ts';
export * from './errors.ts';
export { HoldfastServer, createServer } from './holdfast-server.ts';
export type { ListenOptions, ServerCloseReport } from './holdfast-server.ts';
export type { ListenAddress, TlsPair } from './http/index.ts';
export {
  DEFAULT_CLIENT_GRACE_MS,
  DEFAULT_CLIENT_SILENCE_TIMEOUT_MS,
  DEFAULT_CLOSE_ON_DISCONNECT,
  DEFAULT_DRAIN_PROGRESS_MS,
  DEFAULT_DRAIN_TIMEOUT_MS,
  DEFAULT_HELLO_TIMEOUT_MS,
  DEFAULT_JOB_CLOSE_TIMEOUT_MS,
  DEFAULT_MAX_BODY_BYTES,
  DEFAULT_MAX_BUFFERED_BYTES,
  DEFAULT_MAX_LIVE_SESSIONS,
  DEFAULT_MAX_MESSAGES_PER_SECOND,
  DEFAULT_OPEN_METRICS,
  DEFAULT_PRE_DRAIN_DELAY_MS,
  DEFAULT_RUN_TIMEOUT_MS,
  DEFAULT_SESSION_END_TIMEOUT_MS,
  DEFAULT_SOCKET_CLOSE_TIMEOUT_MS,
  SERVER_CLOSE_TIMEOUT_MS,
} from './server-options.ts';
export * from './limits/limit-options.ts';
export { DEFAULT_MAX_EVENT_LOOP_UTILIZATION } from './limits/index.ts';
export type { TrustProxy } from './limits/index.ts';
export { DEFAULT_MAX_REPLAY_BYTES, DEFAULT_MAX_REPLAY_MESSAGES } from './client/replay-ring.ts';
export type {
  CallKind,
  SessionEndContext,
  SessionEndHook,
  SessionEndReport,
  SessionHook,
} from './calls/index.ts';
export type { ServerOptions } from './server-options.ts';
export { HOLDFAST_VERSION } from './version.ts';
export { MIN_TLS_VERSION } from './http/index.ts';
