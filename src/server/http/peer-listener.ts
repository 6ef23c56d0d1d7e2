import { createServer } from 'node:http';
import type { IncomingMessage, RequestListener, Server } from 'node:http';
import type { Lifetime } from '../../kernel/index.ts';
import { ListenError } from '../errors.ts';
import { openHttp } from './http-listener.ts';

/** Where a process that passes a request on says who sent it. Only what comes over a socket for peers is believed. */
export const CLIENT_ADDRESS_HEADER = 'x-holdfast-client-address';

/**
 * An HTTP server for other processes of the same user, on a socket in the file system, owned by `scope`. Who may reach it is
 * decided by the rights of its folder. @throws ListenError when there can be none; ClosedError
 */
export async function listenForPeers(
  scope: Lifetime,
  listener: RequestListener,
  path: string,
): Promise<Server> {
  const server = createServer((request, response) => {
    rememberClient(request);
    listener(request, response);
  });
  server.on('upgrade', rememberClient);
  try {
    await openHttp(scope, 'http server for peers', server, { path });
  } catch (cause) {
    scope.throwIfClosing();
    throw new ListenError(
      `The workers cannot speak to each other over ${path}: ${(cause as Error).message}`,
      { cause },
    );
  }
  return server;
}

/** A socket in the file system has no address of its own: it gets that of the client, by which bounds are counted. */
function rememberClient({ headers, socket }: IncomingMessage): void {
  const value = headers[CLIENT_ADDRESS_HEADER];
  Object.defineProperty(socket, 'remoteAddress', { value, configurable: true });
}
