import type { CloseReport } from '../kernel/index.ts';
import type { Usage } from '../protocol/index.ts';
import type { ConnectionCounts } from './connection-counts.ts';
import type { Unsent } from './input-ring.ts';

/** Why a live session ended. */
export type EndReason = keyof typeof END_REASONS;

export const END_REASONS = {
  /** `close()` or `LiveRequestQueue.close()`. */
  user_initiated: true,
  /** Somebody who administers the server ended it. */
  closed_by_operator: true,
  /** The client leg went away. */
  participant_disconnected: true,
  /** The loop over `runLive` was left, or its signal fired. */
  consumer_left: true,
  /** See the report's `error`. */
  error: true,
  drained: true,
  limit: true,
  /** The owner ended: the server stops. */
  shutdown: true,
  task_completed: true,
  /** A newer live session of the same session took over. */
  replaced: true,
  /** `abort()`. */
  aborted: true,
} as const;

/** The reason of an owner that ended is its own; for the live session it is that its owner has ended. */
export function endReasonOf(reason: string): EndReason {
  return Object.hasOwn(END_REASONS, reason) ? (reason as EndReason) : 'shutdown';
}

/** How a live session ended. */
export interface SessionCloseReport extends CloseReport {
  /**
   * With `error`, the report's `error` says what failed. With another reason `error` is set when the connection was
   * lost after the end had been asked for: what was under way was cut short.
   */
  readonly reason: EndReason;
  /** What was accepted from the client and never reached the model (clause C11). */
  readonly unsent: Unsent;
  readonly usage: Usage;
  /** What became of its connections to the model (clause R9). */
  readonly connections: ConnectionCounts;
}
