import type { CloseReport } from '../kernel/index.ts';
import type { Usage } from '../protocol/index.ts';
import type { Unsent } from './input-pump.ts';

/** Why a live session ended. */
export type EndReason =
  /** `close()` or `LiveRequestQueue.close()`. */
  | 'user_initiated'
  /** The client leg went away. */
  | 'participant_disconnected'
  /** The loop over `runLive` was left, or its signal fired. */
  | 'consumer_left'
  /** See the report's `error`. */
  | 'error'
  | 'drained'
  | 'limit'
  /** The server stops. */
  | 'shutdown'
  | 'task_completed'
  /** A newer live session of the same session took over. */
  | 'replaced'
  /** `abort()`. */
  | 'aborted';

/** How a live session ended. */
export interface SessionCloseReport extends CloseReport {
  readonly reason: EndReason;
  /** What was accepted from the client and never reached the model (clause C11). */
  readonly unsent: Unsent;
  readonly usage: Usage;
}
