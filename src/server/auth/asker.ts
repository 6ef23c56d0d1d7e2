import type { IncomingMessage } from 'node:http';
import type { Context } from 'hono';
import type { ClientAddresses } from '../limits/index.ts';

/** A request as access to it is decided, whichever way it came. */
export interface Asker {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Where it is; undefined where that is not known. */
  readonly address: string | undefined;
  /** A header by its name, in lower case. */
  header(name: string): string | undefined;
}

/** What a request of Hono has beneath it when it came over `node:http`. */
interface NodeEnv {
  readonly incoming?: Pick<IncomingMessage, 'socket'>;
}

function incomingOf(c: Context): NodeEnv['incoming'] {
  return (c.env as NodeEnv | undefined)?.incoming;
}

export function askerOf(c: Context, addresses: ClientAddresses): Asker {
  const { searchParams } = new URL(c.req.url);
  return {
    method: c.req.method,
    path: c.req.path,
    query: searchParams,
    address: addresses.of(incomingOf(c)?.socket.remoteAddress, c.req.header('x-forwarded-for')),
    header: (name) => c.req.header(name),
  };
}

export function askerOfUpgrade(request: IncomingMessage, addresses: ClientAddresses): Asker {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost');
  return {
    method: request.method ?? 'GET',
    path: pathname,
    query: searchParams,
    address: addresses.of(request.socket.remoteAddress, request.headers['x-forwarded-for']),
    header: (name) => {
      const value = request.headers[name];
      return typeof value === 'object' ? value.join(', ') : value;
    },
  };
}
