import type { EndReason, SessionCloseReport, StoredSession } from '../../session/index.ts';
import type { CallKind } from './calls.ts';

/** What `onSessionEnd` is told of a live session. */
export interface SessionEndReport {
  /** What it was begun by: a WebSocket, or a text turn. */
  readonly kind: CallKind;
  readonly appName: string;
  readonly userId: string;
  readonly sessionId: string;
  readonly reason: EndReason;
  /** What failed, where something did. */
  readonly error?: unknown;
  /** Milliseconds since the Unix epoch. */
  readonly startedAtMs: number;
  readonly durationMs: number;
  /** Whether the server gave it up, because its end took longer than `jobCloseTimeoutMs`. */
  readonly isGivenUp: boolean;
  /** The live session's own report: usage, connections, what was not sent. Undefined where it came to none. */
  readonly close: SessionCloseReport | undefined;
}

/** What a hook is given besides. */
export interface SessionEndContext {
  /** Fires when the hook is not waited for any longer. */
  readonly signal: AbortSignal;
}

/**
 * Called once for each live session, when it has ended and its history is stored: the place for what comes after a call.
 * It has `sessionEndTimeoutMs`; what it throws is logged.
 */
export type SessionEndHook = (
  report: SessionEndReport,
  session: StoredSession,
  context: SessionEndContext,
) => unknown;

/** What came of a hook. */
export type HookOutcome = 'done' | 'failed' | 'overran';
