import type { Socket } from 'node:net';

/** Ends a TCP connection with a reset; one that is still being dialled is given up. */
export function resetSocket(socket: Socket): void {
  // Node would wait for the connection to be made first, however long that takes.
  if (socket.connecting) socket.destroy();
  else socket.resetAndDestroy();
}
