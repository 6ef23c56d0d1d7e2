import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { Server as SecureServer } from 'node:https';
import type { AddressInfo, ListenOptions } from 'node:net';
import type { Lifetime } from '../../kernel/index.ts';
import { ListenError } from '../errors.ts';
import type { RequestRouter } from './request-router.ts';
import type { ServerLimits } from '../server-options.ts';
import { secureSettings } from './tls.ts';
import type { TlsPair } from './tls.ts';

/** Where a server can be reached. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
  /** `http://127.0.0.1:8000`, or with `https` */
  readonly url: string;
}

export interface SharedListening {
  /** Whether other processes of ours listen on the same port. The system spreads clients over them. Not on every system. */
  readonly reusePort?: boolean;
  /** Takes what is for another process. */
  readonly router?: RequestRouter;
}

/** How long answers under way may still be written once the server closes; idle connections are closed at once. */
const LAST_ANSWERS_MS = 250;

const HTTP_CLOSE_BOUND_MS = 1_000;

/** How often connections are looked through for those that take too long. Node does so twice a minute. */
const CONNECTIONS_CHECK_MS = 1_000;

/** What of the limits is HTTP's. */
export type HttpLimits = Pick<
  ServerLimits,
  | 'headersTimeoutMs'
  | 'requestTimeoutMs'
  | 'keepAliveTimeoutMs'
  | 'maxHeaderBytes'
  | 'maxRequestsPerConnection'
>;

/** Speaks HTTP, or HTTP over TLS. */
export type HttpListener = Server | SecureServer;

export interface ListenRequest extends Pick<SharedListening, 'reusePort'> {
  readonly listener: RequestListener;
  readonly host: string;
  readonly port: number;
  readonly limits: HttpLimits;
  readonly tls?: TlsPair | undefined;
}

/** An HTTP server of our own, owned by `scope`. @throws ListenError when the address cannot be had; TlsError, ClosedError */
export async function listenHttp(
  scope: Lifetime,
  { listener, host, port, limits, tls, reusePort = false }: ListenRequest,
): Promise<{ server: HttpListener; address: ListenAddress }> {
  const settings = {
    headersTimeout: limits.headersTimeoutMs,
    // The head of a request is part of it.
    requestTimeout: Math.max(limits.requestTimeoutMs, limits.headersTimeoutMs),
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    maxHeaderSize: limits.maxHeaderBytes,
    connectionsCheckingInterval: CONNECTIONS_CHECK_MS,
    // What of a request is not as HTTP has it, a proxy before us may read otherwise than we do.
    insecureHTTPParser: false,
    requireHostHeader: true,
  };
  const server =
    tls === undefined
      ? createServer(settings, listener)
      : createSecureServer(
          // Whoever has connected has said nothing yet, as with the head of a request.
          { ...settings, ...secureSettings(tls, scope), handshakeTimeout: limits.headersTimeoutMs },
          listener,
        );
  server.maxRequestsPerSocket = limits.maxRequestsPerConnection;
  try {
    await openHttp(scope, 'http server', server, { port, host, reusePort });
  } catch (error) {
    scope.throwIfClosing();
    throw listenError(error, host, port);
  }
  const { port: actual } = server.address() as AddressInfo;
  return {
    server,
    address: {
      host,
      port: actual,
      url: `${tls === undefined ? 'http' : 'https'}://${hostInUrl(host)}:${actual}`,
    },
  };
}

/**
 * Has `scope` own the server, and resolves when it listens. Calls are closed before it: their goodbyes go over its sockets.
 * @throws What the system says; ClosedError when its owner ends first. The server is let go then.
 */
export async function openHttp(
  scope: Lifetime,
  name: string,
  server: HttpListener,
  where: ListenOptions,
): Promise<void> {
  scope.own(name, server, {
    phase: 'hooks',
    boundMs: HTTP_CLOSE_BOUND_MS,
    close: (held) => closeHttp(held, scope),
    abort: (held) => {
      held.close();
      held.closeAllConnections();
    },
  });
  const settled = Promise.withResolvers<void>();
  server.once('error', settled.reject);
  // Closed before it listened, it would never say so.
  server.once('close', settled.resolve);
  server.listen(where, settled.resolve);
  try {
    await settled.promise;
    scope.throwIfClosing();
  } catch (error) {
    // Its name may still be looked up, and it would listen, or fail, after that.
    server.on('error', () => undefined).on('listening', () => server.close());
    scope.release(server);
    throw error;
  } finally {
    server.removeListener('error', settled.reject).removeListener('close', settled.resolve);
  }
  server.on('error', (error) => scope.log.error('http server error', { error: error.message }));
}

/** Stops listening. A keep-alive connection never ends by itself, so it is not waited for. */
function closeHttp(server: HttpListener, scope: Lifetime): Promise<void> {
  return new Promise((resolve) => {
    const cut = scope.clock.setTimer(LAST_ANSWERS_MS, () => server.closeAllConnections());
    server.close(() => {
      cut.cancel();
      resolve();
    });
    server.closeIdleConnections();
  });
}

function hostInUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

export function listenError(error: unknown, host: string, port: number): ListenError {
  const { code, message } = error as NodeJS.ErrnoException;
  const where = `${hostInUrl(host)}:${port}`;
  switch (code) {
    case 'EADDRINUSE':
      return new ListenError(
        `${where} is in use. Stop what listens there, or choose another port with --port (0 takes a free one).`,
        { cause: error },
      );
    case 'EACCES':
      return new ListenError(
        `Port ${port} may not be used by this user. Choose one above 1023 with --port.`,
        {
          cause: error,
        },
      );
    case 'ENOTSUP':
      return new ListenError(
        'Several processes cannot share a port on this system. Serve with --workers 1, or start several servers behind a balancer.',
        { cause: error },
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new ListenError(`'${host}' is no address of this machine. Choose another with --host.`, {
        cause: error,
      });
    default:
      return new ListenError(`The server cannot listen on ${where}: ${message}`, { cause: error });
  }
}
