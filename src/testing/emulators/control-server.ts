import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { HoldfastError, InvalidOptionError, describeError } from '../../kernel/index.ts';
import type { Lifetime, Timer } from '../../kernel/index.ts';
import { EmulatorControlError } from './control-error.ts';
import { whyForbidden } from './control-guard.ts';
import type { ControlAnswer, ControlRoute, ControlledEmulator } from './control-routes.ts';
import { CONTROL_PREFIX } from './listener.ts';
import type { Recorder } from './recorder.ts';

/** Largest body of a request: a fault script of some thousand rules. */
export const MAX_CONTROL_BODY_BYTES = 1_048_576;

/** How long a request may take to come and be answered; one that follows the record goes on. */
const REQUEST_TIMEOUT_MS = 30_000;

/** Characters a follower of the record may leave unread before it is cut off. */
const MAX_UNREAD_CHARACTERS = 16_000_000;

/** Answers those who control the emulator: one request a connection, JSON both ways. */
export class ControlServer<Emulator extends ControlledEmulator> {
  readonly #emulator: Emulator;
  readonly #routes: readonly ControlRoute<Emulator>[];
  readonly #scope: Lifetime;
  /** The address the emulator listens on. */
  readonly #boundTo: string;
  readonly #http: Server;
  /** When a request has taken too long. */
  readonly #timeouts = new WeakMap<Socket, Timer>();

  constructor(
    emulator: Emulator,
    routes: readonly ControlRoute<Emulator>[],
    scope: Lifetime,
    boundTo: string,
  ) {
    this.#emulator = emulator;
    this.#routes = routes;
    this.#scope = scope;
    this.#boundTo = boundTo;
    this.#http = createServer((request, response) => void this.#serve(request, response));
    this.#http.on('upgrade', (_, socket) => socket.destroy());
  }

  /** Takes a connection whose first bytes are still to be read. */
  take(tcp: Socket): void {
    const scope = this.#scope.child('control request');
    scope.own('socket', tcp, { abort: (held) => void held.destroy() });
    const timer = scope.timer('control request', REQUEST_TIMEOUT_MS, () => tcp.destroy());
    this.#timeouts.set(tcp, timer);
    tcp.on('error', (error) => scope.log.debug('control failed', { error: describeError(error) }));
    tcp.once('close', () => {
      scope.release(tcp);
      void scope.close('answered');
    });
    this.#http.emit('connection', tcp);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const answer = await this.#answer(request);
      if (answer.type === 'json') sendJson(response, 200, answer.json);
      else if (answer.follow) this.#follow(answer.recorder, request.socket, response);
      else sendLines(response, answer.recorder.lines).end();
    } catch (error) {
      if (!(error instanceof HoldfastError)) {
        this.#scope.log.error('control failed', { error: describeError(error) });
      }
      const { status, code, message } = refusalOf(error);
      sendJson(response, status, { code, error: message });
    }
  }

  async #answer(request: IncomingMessage): Promise<ControlAnswer> {
    const forbidden = whyForbidden(request.headers, this.#boundTo);
    if (forbidden !== undefined) throw new EmulatorControlError(403, forbidden);
    const [path = '', query = ''] = (request.url ?? '').split('?', 2);
    const name = path.slice(CONTROL_PREFIX.length).replace(/^\//, '') || 'help';
    const routes = this.#routes.filter((route) => route.path === name);
    if (routes.length === 0) {
      throw new EmulatorControlError(
        404,
        `There is no ${path}. GET ${CONTROL_PREFIX}/help lists what there is.`,
      );
    }
    const route = routes.find(({ method }) => method === request.method);
    if (route === undefined) {
      const methods = routes.map(({ method }) => method).join(', ');
      throw new EmulatorControlError(405, `${path} takes ${methods}, and not ${request.method}.`);
    }
    const body = route.method === 'POST' ? await readBody(request) : undefined;
    this.#scope.log.info('control', { request: `${route.method} ${route.path}` });
    this.#emulator.recorder?.add('control', undefined, { request: `${route.method} ${route.path}`, body });
    return route.answer(this.#emulator, body, new URLSearchParams(query));
  }

  #follow(recorder: Recorder, tcp: Socket, response: ServerResponse): void {
    sendLines(response, recorder.lines);
    const stop = recorder.follow((line) => {
      response.write(`${line}\n`);
      if (response.writableLength > MAX_UNREAD_CHARACTERS) tcp.destroy();
    });
    response.once('close', stop);
    this.#timeouts.get(tcp)?.cancel();
  }
}

function refusalOf(error: unknown): { status: number; code: string; message: string } {
  if (error instanceof EmulatorControlError) return error;
  const { code, message } =
    error instanceof HoldfastError ? error : { code: 'HOLDFAST_INTERNAL', message: '' };
  return { status: error instanceof InvalidOptionError ? 400 : 500, code, message };
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    // To its end, and into nothing: one that is cut off never reads what was wrong.
    if (bytes <= MAX_CONTROL_BODY_BYTES) chunks.push(chunk);
  }
  if (bytes > MAX_CONTROL_BODY_BYTES) {
    throw new EmulatorControlError(413, `The body is larger than ${MAX_CONTROL_BODY_BYTES} bytes.`);
  }
  const text = Buffer.concat(chunks).toString();
  if (text.trim() === '') return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new EmulatorControlError(400, `The body is not JSON: ${describeError(error)}.`);
  }
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8', Connection: 'close' });
  response.end(`${JSON.stringify(value, undefined, 2)}\n`);
}

function sendLines(response: ServerResponse, lines: readonly string[]): ServerResponse {
  response.writeHead(200, { 'Content-Type': 'application/x-ndjson; charset=utf-8', Connection: 'close' });
  response.flushHeaders();
  if (lines.length > 0) response.write(`${lines.join('\n')}\n`);
  return response;
}
