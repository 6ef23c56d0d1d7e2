import type { Socket } from 'node:net';
import { Socket as NetSocket } from 'node:net';
import type { FromWorker, ToWorker } from './messages.ts';

/** The channel of a worker to the process that started it. It may be gone: the worker goes on without. */
export class SupervisorLink {
  /** Settles when the supervisor is gone. */
  readonly lost: Promise<void>;

  constructor() {
    this.lost = new Promise((resolve) => {
      if (process.connected) process.once('disconnect', () => resolve());
      else resolve();
    });
  }

  get isThere(): boolean {
    return process.connected;
  }

  /** Tells it; without it, nothing happens. Resolves when it is on its way. */
  tell(message: FromWorker): Promise<void> {
    return new Promise((resolve) => {
      if (!process.connected || process.send === undefined) resolve();
      // What cannot be told has nobody to hear it: `lost` says so.
      else process.send(message, undefined, undefined, () => resolve());
    });
  }

  /** Passes the socket of a client on; it is not ours any more. */
  pass(message: FromWorker & { readonly tag: 'client' }, socket: Socket): void {
    // Node counts a socket for the server that accepted it until the process that has it now has closed it: our server
    // could not close for as long as the call lasts. What this process has left of the socket is destroyed, which ends
    // the counting; the connection itself lives where it was sent.
    Object.assign(socket, { server: null });
    process.send?.(message, socket, { keepOpen: false }, () => socket.destroy());
  }

  /** Listens to what it tells. One listener at a time; what is returned takes it away. */
  listen(hear: (message: ToWorker, socket: Socket | undefined) => void): () => void {
    const listener = (message: unknown, handle: unknown): void =>
      hear(message as ToWorker, handle instanceof NetSocket ? handle : undefined);
    process.on('message', listener);
    return () => process.off('message', listener);
  }
}
