import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Lifetime } from '../../kernel/index.ts';
import { DEFAULT_MAX_BODY_BYTES } from '../../server/index.ts';
import { PATHS_WITH_BODIES, keyOfBody, keyOfPath, keyOfUpgrade } from '../../server/requests/index.ts';
import type { RequestRouter } from '../../server/http/index.ts';
import type { SessionKey } from '../../session/index.ts';
import type { Fellows } from './fellows.ts';
import { headerPairs, rawRequest } from './raw-request.ts';
import { pipeUpgrade, relayRequest } from './relay.ts';
import { slotOf } from './slots.ts';
import { stopReading } from './stop-reading.ts';
import type { SupervisorLink } from './supervisor-link.ts';
import { WholeAnswers } from './whole-answers.ts';

export interface WorkerRouterOptions {
  readonly fellows: Fellows;
  readonly scope: Lifetime;
  readonly supervisor: SupervisorLink;
  hold(): () => void;
}

/**
 * What a worker does with a request before it answers it: one that names a session goes to the worker which that session
 * belongs to, and one that asks about the server is answered for all workers.
 */
export class WorkerRouter implements RequestRouter {
  readonly #options: WorkerRouterOptions;
  readonly #whole: WholeAnswers;

  constructor(options: WorkerRouterOptions) {
    this.#options = options;
    this.#whole = new WholeAnswers(options);
  }

  request(request: IncomingMessage, response: ServerResponse): boolean {
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    if (request.method === 'POST' && PATHS_WITH_BODIES.has(path)) {
      void this.#byBody(request, response);
      return true;
    }
    if (this.#whole.request(request, response)) return true;
    const key = keyOfPath(path);
    if (key === undefined || this.#isOurs(key)) return false;
    this.#relay(request, response, key);
    return true;
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    const { fellows, supervisor, scope, hold } = this.#options;
    const key = keyOfUpgrade(request.url ?? '');
    if (key === undefined || this.#isOurs(key)) return false;
    const slot = slotOf(key, fellows.place.count);
    socket.on('error', (error) => scope.log.debug('upgrade socket error', { error: error.message }));
    if (supervisor.isThere && socket instanceof Socket && stopReading(socket)) {
      const bytes = Buffer.concat([rawRequest(request, headerPairs(request.rawHeaders)), head]);
      supervisor.pass({ tag: 'client', slot, bytes: bytes.toString('base64') }, socket);
    } else {
      pipeUpgrade(request, socket, head, { fellows, slot, scope, hold });
    }
    return true;
  }

  #isOurs(key: SessionKey): boolean {
    const { count, slot } = this.#options.fellows.place;
    return slotOf(key, count) === slot;
  }

  #relay(
    request: IncomingMessage,
    response: ServerResponse,
    key: SessionKey | undefined,
    body?: readonly Buffer[],
  ): void {
    const { place } = this.#options.fellows;
    // What names no session is refused by anybody.
    const slot = key === undefined ? place.slot : slotOf(key, place.count);
    relayRequest(request, response, { ...this.#options, slot, ...(body === undefined ? {} : { body }) });
  }

  /** The session stands in the body, which is read for that, up to what a body may have, and goes on as it was. */
  async #byBody(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      await readSome(request, chunks);
    } catch {
      // The client has gone.
      response.destroy();
      return;
    }
    const key = request.readableEnded ? keyOfBody(Buffer.concat(chunks).toString()) : undefined;
    this.#relay(request, response, key, chunks);
  }
}

/** Reads until the end, or until there is more than a body may have. */
function readSome(request: IncomingMessage, chunks: Buffer[]): Promise<void> {
  return new Promise((resolve, reject) => {
    let bytes = 0;
    const done = (): void => {
      request.off('data', take).off('end', done).off('close', gone);
      request.pause();
      resolve();
    };
    const take = (chunk: Buffer): void => {
      chunks.push(chunk);
      bytes += chunk.byteLength;
      if (bytes > DEFAULT_MAX_BODY_BYTES) done();
    };
    const gone = (): void => reject(new Error('The client has gone.'));
    request.on('data', take).on('end', done).on('close', gone);
  });
}
