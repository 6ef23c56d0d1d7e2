import type { ServerCloseReport } from '../../server/index.ts';

/** Where all workers listen; operations have a port where `--ops-port` gives them one. */
export interface WorkerPorts {
  readonly port: number;
  readonly opsPort?: number;
}

/** Where clients find the workers, and where these keep sessions. */
export interface WorkersAddress {
  readonly url: string;
  readonly operationsUrl?: string;
  readonly store: string;
  readonly artifacts: string;
}

/** How a worker has closed. */
export type WorkerEnd = Pick<ServerCloseReport, 'cutCalls' | 'reason' | 'drain'>;

/** What the supervisor tells a worker. */
export type ToWorker =
  /** Everybody is prepared: take clients. */
  | { readonly tag: 'listen'; readonly ports: WorkerPorts }
  | { readonly tag: 'drain' | 'close' | 'abort' }
  /** With the socket of a client that another worker has accepted, and what was read of it. */
  | { readonly tag: 'client'; readonly bytes: string };

/** What a worker tells its supervisor. */
export type FromWorker =
  /** Its agents, its model and its store are there. */
  | { readonly tag: 'prepared' }
  | ({ readonly tag: 'listening' } & WorkersAddress)
  /** It cannot serve, and says why; `exitCode` is that of a single process which fails so. */
  | { readonly tag: 'failed'; readonly text: string; readonly exitCode: number }
  | { readonly tag: 'calls'; readonly count: number }
  /** It has closed, and ends. */
  | ({ readonly tag: 'closed' } & WorkerEnd)
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
