import type { IncomingMessage, ServerResponse } from 'node:http';
import { errorBody } from '../emulated-socket.ts';
import { TokenRequestError } from './ephemeral-tokens.ts';
import type { EphemeralTokens } from './ephemeral-tokens.ts';
import { isObject } from '../json-object.ts';
import { normaliseFields } from './proto-json.ts';

/** Repeated slashes count as one, and a gateway's path may stand before it, as with the WebSocket. */
const PATH = /(^|\/)v1alpha\/+auth_tokens$/;

/** Bytes of a request for a token: a setup with long instructions fits. */
const MOST_BYTES = 256 * 1024;

/**
 * Answers `POST /v1alpha/auth_tokens`, which makes an ephemeral token; false for any other request.
 * `keys` are the API keys that are good; undefined: every one.
 */
export function answerTokenRequest(
  request: IncomingMessage,
  response: ServerResponse,
  tokens: EphemeralTokens,
  keys: readonly string[] | undefined,
): boolean {
  const [path = '', query = ''] = (request.url ?? '').split('?', 2);
  if (request.method !== 'POST' || !PATH.test(path)) return false;
  const answer = (status: number, body: string): void => {
    response.writeHead(status, { 'Content-Type': 'application/json; charset=UTF-8', Connection: 'close' });
    response.end(body);
  };
  const key = request.headers['x-goog-api-key'] ?? new URLSearchParams(query).get('key');
  if (typeof key !== 'string' || key === '') {
    answer(403, errorBody(403, "Method doesn't allow unregistered callers. Please use an API key."));
  } else if (keys !== undefined && !keys.includes(key)) {
    answer(400, errorBody(400, 'API key not valid. Please pass a valid API key.'));
  } else {
    readBody(request, (text) => {
      const { status, body } = create(tokens, text);
      answer(status, body);
    });
  }
  return true;
}

/** Calls `read` with the body; undefined when it is too long. A client that goes away meanwhile is owed nothing. */
function readBody(request: IncomingMessage, read: (text: string | undefined) => void): void {
  const pieces: Buffer[] = [];
  let bytes = 0;
  request.on('data', (piece: Buffer) => {
    bytes += piece.byteLength;
    if (bytes <= MOST_BYTES) pieces.push(piece);
  });
  request.once('end', () => read(bytes > MOST_BYTES ? undefined : Buffer.concat(pieces).toString()));
}

function create(
  tokens: EphemeralTokens,
  text: string | undefined,
): { readonly status: number; readonly body: string } {
  if (text === undefined) return { status: 413, body: errorBody(413, 'Request payload is too large.') };
  try {
    const body = normaliseFields(JSON.parse(text === '' ? '{}' : text));
    if (!isObject(body)) throw new TokenRequestError('Invalid JSON payload received. Expected an object.');
    return { status: 200, body: JSON.stringify(tokens.create(body)) };
  } catch (error) {
    if (!(error instanceof TokenRequestError) && !(error instanceof SyntaxError)) throw error;
    const message = error instanceof SyntaxError ? 'Invalid JSON payload received.' : error.message;
    return { status: 400, body: errorBody(400, message) };
  }
}
