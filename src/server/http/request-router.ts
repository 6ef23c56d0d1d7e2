import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/**
 * Stands before a server's own answers, where one server is several processes: it takes what is for another one of them.
 * What it does not take the server answers as if there were no router.
 */
export interface RequestRouter {
  /** Whether it takes this request; then it answers it, whatever happens. */
  request(request: IncomingMessage, response: ServerResponse): boolean;
  /** Whether it takes this upgrade; then the socket is its. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean;
}
