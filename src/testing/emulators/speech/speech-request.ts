import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';

/** Where a request goes, read once. */
export interface SpeechRequest {
  readonly path: string;
  readonly query: URLSearchParams;
  /** The key or token it came with, for comparing and nothing else. */
  readonly credential: string | undefined;
}

/**
 * Reads a request. Repeated slashes count as one, and anything may stand before `/v1/`, as behind a gateway of one's own.
 */
export function readRequest({ url = '', headers }: IncomingMessage): SpeechRequest {
  const [rawPath = '', query = ''] = url.split('?', 2);
  const path = /\/v1\/.*$/.exec(rawPath.replaceAll(/\/{2,}/g, '/'))?.[0].replace(/\/$/, '') ?? rawPath;
  return { path, query: new URLSearchParams(query), credential: credentialOf(headers) };
}

/**
 * `Authorization: Token …` (Deepgram's keys), `Bearer …` (tokens, and everybody else's keys), or the subprotocols
 * `token, …` and `bearer, …`, in which browsers send them.
 */
function credentialOf({
  authorization = '',
  'sec-websocket-protocol': protocols = '',
}: IncomingHttpHeaders): string | undefined {
  const [, ofHeader] = /^(?:token|bearer)\s+(\S+)$/i.exec(authorization) ?? [];
  const [, ofProtocol] = /^(?:token|bearer)\s*,\s*(\S+)$/i.exec(protocols) ?? [];
  return ofHeader ?? ofProtocol;
}
