import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Clock, Timer } from '../kernel/index.ts';
import { BodyGuard } from './body-guard.ts';

/**
 * How long a request may take to which no answer is due: a notification, the end of a session. Calls have bounds of
 * their own.
 */
export const NOTIFICATION_TIMEOUT_MS = 5_000;

/** After the end of a stream its last events are still on their way to the reader. */
const LAST_EVENTS_GRACE_MS = 50;

/** Responses that have no body (RFC 9110 15.3.5, 15.4.5). */
const WITHOUT_BODY = [204, 205, 304];

/** What is said in a JSON-RPC message, as far as it matters here. */
interface Said {
  /** The id of a request, for which an answer is due. */
  readonly requestId: number | string | undefined;
  /** The id of the request that it takes back. */
  readonly cancels: number | string | undefined;
}

export interface HttpRequestsOptions {
  readonly clock: Clock;
  readonly maxMessageBytes: number;
  /** The stream on which the answer to a request was due has ended; it may have come. */
  streamEnded(requestId: number | string): void;
}

/**
 * The requests of one connection to a server, on sockets that belong to it: `destroy` leaves none, also none that idle
 * for the next request, as those of `fetch` do.
 *
 * It is what the SDK's transport is given for `fetch`. A stream of what a server says unasked is not opened: nothing is
 * done with it, and it would cost every session a socket.
 */
export class HttpRequests {
  readonly #options: HttpRequestsOptions;
  readonly #http = new HttpAgent({ keepAlive: true });
  readonly #https = new HttpsAgent({ keepAlive: true });
  /** The requests of which the answer is due. */
  readonly #due = new Map<number | string, ClientRequest>();
  readonly #open = new Set<ClientRequest>();
  /** Those this side has ended. */
  readonly #aborted = new WeakSet<ClientRequest>();
  #isDestroyed = false;

  constructor(options: HttpRequestsOptions) {
    this.#options = options;
  }

  /** As `fetch`, as far as the SDK's transport uses it. It follows no redirect. */
  async fetch(address: string | URL, init: RequestInit = {}): Promise<Response> {
    const { method = 'GET', body } = init;
    if (method === 'GET') return new Response(null, { status: 405 });
    const text = typeof body === 'string' ? body : undefined;
    const said = saidIn(text);
    const url = new URL(address);
    try {
      return await this.#send(url, init, text, said);
    } catch (error) {
      // The server closed a socket that idled in the moment it was used again: the request has not been read.
      if (!(error instanceof StaleSocketError)) throw error;
      return await this.#send(url, init, text, said);
    }
  }

  /** Ends everything that is under way, and every socket. */
  destroy(): void {
    this.#isDestroyed = true;
    for (const request of this.#open) this.#abort(request);
    this.#http.destroy();
    this.#https.destroy();
  }

  #send(url: URL, init: RequestInit, body: string | undefined, said: Said): Promise<Response> {
    return new Promise((resolve, reject) => {
      if (this.#isDestroyed) throw new Error('The connection has been closed.');
      const isTls = url.protocol === 'https:';
      const headers = Object.fromEntries(new Headers(init.headers));
      const length = body === undefined ? {} : { 'content-length': `${Buffer.byteLength(body)}` };
      const request = (isTls ? httpsRequest : httpRequest)(url, {
        agent: isTls ? this.#https : this.#http,
        method: init.method,
        headers: { ...headers, ...length },
      });
      this.#follow(request, init.signal, said);
      request.on('response', (response) => resolve(this.#responseOf(response, said)));
      request.on('error', (error) => {
        const isStale = isReset(request, error) && !this.#aborted.has(request);
        reject(isStale ? new StaleSocketError() : error);
      });
      request.end(body);
    });
  }

  /** Ends it when it has to end: with the connection, with its bound, or when its answer is not wanted any more. */
  #follow(
    request: ClientRequest,
    signal: AbortSignal | null | undefined,
    { requestId, cancels }: Said,
  ): void {
    const abort = (): void => this.#abort(request);
    let bound: Timer | undefined;
    if (requestId !== undefined) this.#due.set(requestId, request);
    else bound = this.#options.clock.setTimer(NOTIFICATION_TIMEOUT_MS, abort);
    signal?.addEventListener('abort', abort);
    this.#open.add(request);
    request.on('close', () => {
      this.#open.delete(request);
      signal?.removeEventListener('abort', abort);
      bound?.cancel();
      if (requestId !== undefined && this.#due.get(requestId) === request) this.#due.delete(requestId);
      const cancelled = cancels === undefined ? undefined : this.#due.get(cancels);
      if (cancelled !== undefined) this.#abort(cancelled);
    });
    if (signal?.aborted === true) abort();
  }

  #abort(request: ClientRequest): void {
    this.#aborted.add(request);
    request.destroy();
  }

  #responseOf(response: IncomingMessage, { requestId }: Said): Response {
    const { statusCode: status = 0, statusMessage: statusText = '' } = response;
    const headers = new Headers();
    for (const [name, value] of Object.entries(response.headers)) {
      if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value);
    }
    if (WITHOUT_BODY.includes(status) || status < 200) {
      response.resume();
      return new Response(null, { status: status < 200 ? 502 : status, statusText });
    }
    const isEventStream = headers.get('content-type')?.startsWith('text/event-stream') === true;
    const guard = new BodyGuard(this.#options.maxMessageBytes, isEventStream);
    const ended = (): void => {
      if (!isEventStream || requestId === undefined || this.#isDestroyed) return;
      this.#options.clock.setTimer(LAST_EVENTS_GRACE_MS, () => this.#options.streamEnded(requestId));
    };
    return new Response(bodyOf(response, guard, ended), { status, statusText, headers });
  }
}

/** An idle socket turned out to be closed. */
class StaleSocketError extends Error {}

function isReset(request: ClientRequest, error: Error): boolean {
  return request.reusedSocket && (error as { code?: unknown }).code === 'ECONNRESET';
}

function bodyOf(response: IncomingMessage, guard: BodyGuard, ended: () => void): ReadableStream<Uint8Array> {
  let isOver = false;
  return new ReadableStream<Uint8Array>({
    start: (controller) => {
      const finish = (error?: Error): void => {
        if (isOver) return;
        isOver = true;
        if (error === undefined) controller.close();
        else controller.error(error);
        ended();
      };
      response.on('data', (chunk: Buffer) => {
        if (isOver) return;
        if (!guard.take(chunk)) {
          finish(new Error('A message is larger than is taken.'));
          response.destroy();
          return;
        }
        controller.enqueue(new Uint8Array(chunk));
        if ((controller.desiredSize ?? 0) <= 0) response.pause();
      });
      response.on('end', () => finish());
      response.on('error', (error) => finish(error));
      response.on('close', () => finish(new Error('The connection was lost.')));
    },
    pull: () => void response.resume(),
    cancel: () => {
      isOver = true;
      response.destroy();
    },
  });
}

function saidIn(body: string | undefined): Said {
  if (body === undefined) return { requestId: undefined, cancels: undefined };
  const message = JSON.parse(body) as {
    readonly id?: number | string;
    readonly method?: string;
    readonly params?: { readonly requestId?: number | string };
  };
  // What has an id and no method is an answer of ours, to which none is due.
  const requestId = message.method === undefined ? undefined : message.id;
  const cancels = message.method === 'notifications/cancelled' ? message.params?.requestId : undefined;
  return { requestId, cancels };
}
