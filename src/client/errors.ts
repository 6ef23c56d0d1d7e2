import { HoldfastError } from '../kernel/index.ts';
import type { ClientEnd } from './client-state.ts';

/** The connection to the server could not be opened, or was lost. `end` says how it went, where it had been open. */
export class ServerConnectionError extends HoldfastError {
  readonly code = 'HOLDFAST_SERVER_CONNECTION';
  readonly end: ClientEnd | undefined;

  constructor(message: string, end?: ClientEnd, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.end = end;
  }
}

/** The server answered an HTTP request with an error. `status` is the HTTP status. */
export class ServerResponseError extends HoldfastError {
  readonly code = 'HOLDFAST_SERVER_RESPONSE';
  readonly status: number;

  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }
}

/** Something was sent before the connection was open. Wait for `opened` first. */
export class NotOpenError extends HoldfastError {
  readonly code = 'HOLDFAST_NOT_OPEN';
}
