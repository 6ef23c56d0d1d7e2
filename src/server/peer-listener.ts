import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import type { Lifetime } from '../kernel/index.ts';
import { ListenError } from './errors.ts';
import { HTTP_CLOSE_BOUND_MS, closeHttp } from './http-listener.ts';

/**
 * An HTTP server for other processes of the same user, on a socket in the file system, owned by `scope`. Who may reach it is
 * decided by the rights of its folder. @throws ListenError when there can be none.
 */
export async function listenForPeers(
  scope: Lifetime,
  listener: RequestListener,
  path: string,
): Promise<Server> {
  const server = createServer(listener);
  scope.own('http server for peers', server, {
    phase: 'hooks',
    boundMs: HTTP_CLOSE_BOUND_MS,
    close: (held) => closeHttp(held, scope),
    abort: (held) => {
      held.close();
      held.closeAllConnections();
    },
  });
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, () => {
        server.removeListener('error', reject);
        resolve();
      });
    });
  } catch (error) {
    scope.release(server);
    throw new ListenError(`The workers cannot speak to each other over ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  server.on('error', (error) => scope.log.error('http server error', { error: error.message }));
  return server;
}
