import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { addressKey, parseTrustProxy } from './client-address.ts';
import type { ClientAddresses } from './client-address.ts';
import type { HttpListener } from '../http/index.ts';
import { KeyedCounts } from './keyed-counts.ts';
import type { Refusals } from './refusals.ts';
import type { ServerLimits } from '../server-options.ts';

export interface ConnectionGateOptions {
  readonly limits: Pick<ServerLimits, 'maxConnections' | 'maxConnectionsPerAddress' | 'unlimitedAddresses'>;
  readonly addresses: ClientAddresses;
  readonly refusals: Refusals;
}

/** A connection, and the address it is counted for, where it is. */
interface Counted {
  readonly key: string | undefined;
}

/** Said to who is one too many: it costs nothing to say, and tells a program from a network that is broken. */
const TOO_MANY =
  'HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 5\r\ncontent-length: 0\r\n\r\n';

/** What is told of a request that is no HTTP, by the error of its parser. */
const BAD_REQUESTS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: '413 Payload Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/**
 * Bounds the connections of an HTTP server that are no WebSocket (yet): in all, and of each address. Proxies that are
 * believed are counted with all, but not by their address.
 */
export function guardConnections(server: HttpListener, options: ConnectionGateOptions): void {
  const { limits, addresses, refusals } = options;
  const isUnlimited = parseTrustProxy(limits.unlimitedAddresses) ?? ((): boolean => false);
  const byAddress = new KeyedCounts();
  /** By where they come from, which is the same for a connection and for the TLS in it. */
  const counted = new Map<string, Counted>();
  const release = (end: string, which = counted.get(end)): void => {
    // Who resets a connection may be back from the same port before we have seen that one close.
    if (which === undefined || counted.get(end) !== which) return;
    counted.delete(end);
    if (which.key !== undefined) byAddress.remove(which.key);
  };
  server.on('connection', (socket: Socket) => {
    // It may be gone already, and then it has no address and tells no end.
    const remote = socket.remoteAddress;
    if (remote === undefined || socket.destroyed) return;
    const isCounted = !addresses.isProxy(remote) && !isUnlimited(addresses.of(remote, undefined) ?? remote);
    const key = isCounted ? addressKey(addresses.of(remote, undefined) ?? remote) : undefined;
    if (counted.size >= limits.maxConnections) {
      refusals.note('connections');
      turnAway(socket);
      return;
    }
    if (key !== undefined && byAddress.of(key) >= limits.maxConnectionsPerAddress) {
      refusals.note('connections_per_address');
      turnAway(socket);
      return;
    }
    const end = endOf(socket);
    const connection: Counted = { key };
    release(end);
    counted.set(end, connection);
    if (key !== undefined) byAddress.add(key);
    socket.once('close', () => release(end, connection));
  });
  // Live sessions have bounds of their own.
  server.on('upgrade', (_request, socket) => release(endOf(socket as Socket)));
  const answering = new WeakMap<object, ServerResponse>();
  server.on('request', (request, response) => answering.set(request.socket, response));
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const { code = '' } = error;
    const answer = answering.get(socket);
    // In the middle of an answer, words of ours would be taken for a part of it.
    const isAnswering = answer?.headersSent === true && !answer.writableFinished;
    if (code === 'ECONNRESET' || !socket.writable || isAnswering) {
      socket.destroy();
      return;
    }
    const isSlow = code === 'ERR_HTTP_REQUEST_TIMEOUT';
    refusals.note(isSlow ? 'slow_request' : code === 'HPE_HEADER_OVERFLOW' ? 'header_bytes' : 'bad_request');
    const status = BAD_REQUESTS[code] ?? '400 Bad Request';
    endWith(socket as Socket, `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
  });
}

function endOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

/** It has asked for nothing yet: what it asks is not read. */
function turnAway(socket: Socket): void {
  socket.on('error', () => undefined);
  endWith(socket, TOO_MANY);
}

function endWith(socket: Socket, answer: string): void {
  socket.end(answer, () => socket.destroy());
}
