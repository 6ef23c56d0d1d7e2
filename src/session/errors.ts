import { HoldfastError } from '../kernel/index.ts';

/** What a provider said when it refused or ended a connection. */
export interface ProviderFailure {
  /** The id of the model: `gemini:gemini-2.5-flash`. */
  readonly provider: string;
  readonly closeCode?: number | undefined;
  readonly closeReason?: string | undefined;
  readonly httpStatus?: number | undefined;
  /** How long the provider asks to wait before the next attempt. */
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

/** A failure told by, or on the way to, a provider. `failure` holds what the provider said. */
export abstract class ProviderError extends HoldfastError {
  readonly failure: ProviderFailure;

  constructor(message: string, failure: ProviderFailure) {
    super(message, failure.cause === undefined ? undefined : { cause: failure.cause });
    this.failure = failure;
  }
}

/** The connection to the model could not be made, or went away, for a reason another attempt may cure. */
export class ConnectionLostError extends ProviderError {
  readonly code = 'HOLDFAST_CONNECTION_LOST';
}

/** The provider does not know, or no longer takes, the resumption handle it was given (clause R6). */
export class HandleRejectedError extends ProviderError {
  readonly code = 'HOLDFAST_HANDLE_REJECTED';
}

/** The provider has too much to do. Another attempt may go better, but not soon. */
export class OverloadedError extends ProviderError {
  readonly code = 'HOLDFAST_OVERLOADED';
}

/** How much of each bound on reconnecting was used up (clause R4). */
export interface ReconnectUse {
  /** Attempts of this outage. */
  readonly attempts: number;
  /** How long this outage lasts, in milliseconds. */
  readonly outageMs: number;
  /** Dials of this live session after its first one. */
  readonly redials: number;
}

/** The bound of reconnecting that was reached. */
export type ReconnectMeter = keyof ReconnectUse;

/** The connection could not be had again within the policy's bounds. `cause` is the last failure (clause R5). */
export class ReconnectExhaustedError extends HoldfastError {
  readonly code = 'HOLDFAST_RECONNECT_EXHAUSTED';
  /** Which bound was reached. */
  readonly meter: ReconnectMeter;
  readonly used: ReconnectUse;

  constructor(message: string, meter: ReconnectMeter, used: ReconnectUse, cause: unknown) {
    super(message, { cause });
    this.meter = meter;
    this.used = used;
  }
}

/** Dial, handshake and setup together took longer than `connectTimeoutMs` (clause R11). */
export class ConnectTimeoutError extends ProviderError {
  readonly code = 'HOLDFAST_CONNECT_TIMEOUT';
}

/** The provider does not accept the credentials. Another attempt with the same ones cannot help. */
export class AuthenticationError extends ProviderError {
  readonly code = 'HOLDFAST_AUTHENTICATION';
}

/** The quota or rate limit is used up. */
export class QuotaError extends ProviderError {
  readonly code = 'HOLDFAST_QUOTA';
}

/** The provider does not accept what was asked: an unknown model, an unsupported modality, a malformed setup. */
export class InvalidRequestError extends ProviderError {
  readonly code = 'HOLDFAST_INVALID_REQUEST';
}

/** The request queue is full: the model does not take input as fast as it is sent. */
export class QueueFullError extends HoldfastError {
  readonly code = 'HOLDFAST_QUEUE_FULL';
}

/** The consumer of a live session's events did not read them for so long that they no longer fit in memory. */
export class SlowConsumerError extends HoldfastError {
  readonly code = 'HOLDFAST_SLOW_CONSUMER';
}

/** A tool did not settle within its `timeoutMs`. */
export class ToolTimeoutError extends HoldfastError {
  readonly code = 'HOLDFAST_TOOL_TIMEOUT';
}

/** The tools of a toolset cannot be had: it failed to open, or did not in time. */
export class ToolsetError extends HoldfastError {
  readonly code = 'HOLDFAST_TOOLSET';
}

/** An agent is not ready to have the conversation in time: its instructions do not come. */
export class AgentNotReadyError extends HoldfastError {
  readonly code = 'HOLDFAST_AGENT_NOT_READY';
}
