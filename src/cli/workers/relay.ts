import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Lifetime } from '../../kernel/index.ts';
import { UnavailableError } from '../../server/index.ts';
import { httpFailureOf } from '../../server/http/index.ts';
import { refuseUpgrade } from '../../server/routes/index.ts';
import type { Fellows } from './fellows.ts';
import { headerPairs, headersForPeer, rawRequest } from './raw-request.ts';

/** Headers that are between two ends of one connection only (RFC 9110 7.6.1). */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'upgrade',
  'expect',
]);

/** A worker that has ended is replaced within this time, most often. */
export const WORKER_RETRY_AFTER_S = 1;

/** What a client hears whose session belongs to a worker that is not there. */
export function noWorkerError(): UnavailableError {
  return new UnavailableError(
    'The worker of this session is not there now. Ask again in a moment.',
    WORKER_RETRY_AFTER_S,
  );
}

export interface RelayOptions {
  readonly fellows: Fellows;
  readonly slot: number;
  readonly scope: Lifetime;
  /** Has a drain of this worker wait for it; what it returns says that it is over. */
  hold(): () => void;
}

/**
 * Has another worker answer a request, with what was read of its body before. It is streamed in both directions, so that
 * events come as they are made; who leaves on one side ends the other.
 */
export function relayRequest(
  request: IncomingMessage,
  response: ServerResponse,
  { fellows, slot, scope, hold, body }: RelayOptions & { readonly body?: readonly Buffer[] },
): void {
  const inner = fellows.request(slot, {
    method: request.method ?? 'GET',
    path: request.url ?? '/',
    headers: {},
  });
  for (const [name, value] of endToEnd(headersForPeer(request))) inner.appendHeader(name, value);
  const release = hold();
  scope.own('relayed request', inner, { abort: (held) => void held.destroy() });
  response.on('close', () => {
    scope.release(inner);
    inner.destroy();
    release();
  });
  // The other worker is not there, or has gone in the middle.
  inner.on('error', () => answerError(response, noWorkerError()));
  inner.on('response', (answer) => {
    response.writeHead(answer.statusCode ?? 502, endToEnd(headerPairs(answer.rawHeaders)).flat());
    answer.on('error', () => response.destroy());
    answer.pipe(response);
  });
  for (const chunk of body ?? []) inner.write(chunk);
  if (request.readableEnded) inner.end();
  else request.pipe(inner);
}

/** Answers with an error, or cuts an answer that has begun. */
export function answerError(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { status, headers, body } = httpFailureOf(error);
  response.writeHead(status, { ...headers, 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

/**
 * Has another worker take an upgrade, and passes the bytes on between it and the client for as long as the call lasts. For
 * when there is no supervisor any more who could pass on the socket itself.
 */
export function pipeUpgrade(
  request: IncomingMessage,
  client: Duplex,
  head: Buffer,
  { fellows, slot, scope, hold }: RelayOptions,
): void {
  const worker = connect(fellows.pathOf(slot));
  const release = hold();
  scope.own('piped call', worker, { abort: (held) => void held.destroy() });
  let isConnected = false;
  worker.on('connect', () => {
    isConnected = true;
    worker.setNoDelay(true);
    worker.write(rawRequest(request, headersForPeer(request)));
    if (head.byteLength > 0) worker.write(head);
    worker.pipe(client);
    client.pipe(worker);
  });
  // An error is followed by the close of its socket.
  worker.on('error', (error) => scope.log.debug('piped call: worker', { error: error.message }));
  client.on('error', (error) => scope.log.debug('piped call: client', { error: error.message }));
  client.on('close', () => worker.destroy());
  worker.on('close', () => {
    scope.release(worker);
    release();
    if (isConnected) client.destroy();
    else refuseUpgrade(client, noWorkerError());
  });
}

function endToEnd(pairs: readonly [string, string][]): [string, string][] {
  return pairs.filter(([name]) => !HOP_BY_HOP.has(name.toLowerCase()));
}
