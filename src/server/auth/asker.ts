import type { IncomingMessage } from 'node:http';
import type { Context } from 'hono';

/** A request as access to it is decided, whichever way it came. */
export interface Asker {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** The address of the connection; undefined where it is not known. */
  readonly address: string | undefined;
  /** A header by its name, in lower case. */
  header(name: string): string | undefined;
}

/** What a request of Hono has beneath it when it came over `node:http`. */
interface NodeEnv {
  readonly incoming?: Pick<IncomingMessage, 'socket' | 'rawHeaders' | 'url'>;
}

export function incomingOf(c: Context): NodeEnv['incoming'] {
  return (c.env as NodeEnv | undefined)?.incoming;
}

export function askerOf(c: Context): Asker {
  const { searchParams } = new URL(c.req.url);
  return {
    method: c.req.method,
    path: c.req.path,
    query: searchParams,
    address: incomingOf(c)?.socket.remoteAddress,
    header: (name) => c.req.header(name),
  };
}

export function askerOfUpgrade(request: IncomingMessage): Asker {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost');
  return {
    method: request.method ?? 'GET',
    path: pathname,
    query: searchParams,
    address: request.socket.remoteAddress,
    header: (name) => {
      const value = request.headers[name];
      return typeof value === 'object' ? value.join(', ') : value;
    },
  };
}
