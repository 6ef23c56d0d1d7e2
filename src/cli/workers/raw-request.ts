import type { IncomingMessage } from 'node:http';
import { CLIENT_ADDRESS_HEADER } from '../../server/http/index.ts';

type Pairs = readonly (readonly [name: string, value: string])[];

/** The head of a request as it came over the wire, to be read again by another process. */
export function rawRequest(
  { method = 'GET', url = '/', httpVersion }: IncomingMessage,
  headers: Pairs,
): Buffer {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`${method} ${url} HTTP/${httpVersion}\r\n${lines.join('')}\r\n`, 'latin1');
}

/** The headers of a request as they came. */
export function headerPairs(rawHeaders: readonly string[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    pairs.push([rawHeaders[index] ?? '', rawHeaders[index + 1] ?? '']);
  }
  return pairs;
}

/** The same as they go over a socket for peers: with the address of the client, which nobody else can claim. */
export function headersForPeer({ rawHeaders, socket }: IncomingMessage): [string, string][] {
  const { remoteAddress } = socket;
  const others = headerPairs(rawHeaders).filter(([name]) => name.toLowerCase() !== CLIENT_ADDRESS_HEADER);
  return remoteAddress === undefined ? others : [...others, [CLIENT_ADDRESS_HEADER, remoteAddress]];
}
