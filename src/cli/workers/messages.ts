/** What the supervisor tells a worker. */
export type ToWorker =
  /** Everybody is prepared: take clients. */
  | { readonly tag: 'listen'; readonly port: number }
  | { readonly tag: 'drain' | 'close' | 'abort' }
  /** With the socket of a client that another worker has accepted, and what was read of it. */
  | { readonly tag: 'client'; readonly bytes: string };

/** What a worker tells its supervisor. */
export type FromWorker =
  /** Its agents, its model and its store are there. */
  | { readonly tag: 'prepared' }
  | { readonly tag: 'listening'; readonly url: string; readonly store: string }
  /** It cannot serve, and says why; `exitCode` is that of a single process which fails so. */
  | { readonly tag: 'failed'; readonly text: string; readonly exitCode: number }
  | { readonly tag: 'calls'; readonly count: number }
  /** It has closed, and ends. */
  | { readonly tag: 'closed'; readonly cutCalls: number; readonly reason: string }
  /** With the socket of a client whose session belongs to `slot`, and what was read of it. */
  | { readonly tag: 'client'; readonly slot: number; readonly bytes: string }
  /** Somebody who administers the server asked one worker for what concerns all. */
  | { readonly tag: 'verb'; readonly verb: 'drain' | 'close' | 'abort' };

/** How a process ended. */
export interface WorkerExit {
  readonly status: number | null;
  readonly signal: string | null;
}

/** `exit code 1`, `SIGKILL` */
export function exitInWords({ status, signal }: WorkerExit): string {
  return signal ?? `exit code ${status ?? 'unknown'}`;
}
