import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/**
 * Has this process read nothing more from a socket that it is about to send to another one; false where that cannot be.
 *
 * Node keeps its own copy of a socket open until the other process has said that it has it, goes on reading from it, and
 * throws away what it reads: the first words of a client that is fast would be lost. There is no public way to stop it
 * (`pause()` stops what is done with the bytes, not the reading), so it is looked for.
 */
export function stopReading(socket: Socket): boolean {
  // What is known of its keys is in this process.
  if (socket instanceof TLSSocket) return false;
  const { _handle: handle } = socket as unknown as { readonly _handle?: { readStop?: () => unknown } | null };
  if (typeof handle?.readStop !== 'function') return false;
  handle.readStop();
  return true;
}
